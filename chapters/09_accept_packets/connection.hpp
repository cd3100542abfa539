#pragma once
// The engine, connection.hpp: one client, echoed with one operation in flight, as in
// chapter 08.

#include "operation.hpp"

#include "common/error.hpp"
#include "common/live_set.hpp"
#include "common/overlapped_socket.hpp"
#include "common/unique.hpp"

#include <winsock2.h>

#include <memory>
#include <utility>

// [connection]
// Owned by whoever has its packet; while an operation is in flight, by the kernel.
class connection final : public operation {
public:
    connection(iocp::unique_socket accepted, iocp::live_set<connection>& all)
        : socket_{std::move(accepted)}, live_{all} {
        live_.enter(*this);
    }
    ~connection() { live_.leave(*this); }

    // [complete]
    void complete(result ended) noexcept override {
        std::unique_ptr<connection> mine{this};
        // back: the connection
        if (socket_) { // else it was closed at the end of the server, and goes
            advance(std::move(mine), ended);
        }
    }
    // [/complete]

    // [advance]
    static void advance(std::unique_ptr<connection> mine, result ended) {
        if (ended.error != ERROR_SUCCESS) { // this client is lost; the others are not
            iocp::report(ended.error, mine->receiving_ ? "WSARecv" : "WSASend");
            return;
        }
        if (mine->receiving_ && ended.bytes == 0) { // it has said all; the connection goes
            if (::shutdown(mine->socket_.get(), SD_SEND) == SOCKET_ERROR) {
                iocp::report(::WSAGetLastError(), "shutdown");
            }
            return;
        }
        if (mine->receiving_) {
            mine->begin_ = 0;
            mine->end_ = ended.bytes; // the length of the answer is that of the message
        } else {
            mine->begin_ += ended.bytes;
        }
        if (mine->begin_ < mine->end_) {
            send_rest(std::move(mine));
        } else {
            receive(std::move(mine));
        }
    }
    // [/advance]

    // [submit]
    static void receive(std::unique_ptr<connection> mine) {
        mine->clear();
        mine->receiving_ = true;
        WSABUF room{sizeof mine->buffer_, mine->buffer_};
        DWORD flags = 0;
        connection* const lent = mine.release();
        // lent: the connection -> kernel until its packet is dequeued
        check_submitted(
            lent, ::WSARecv(lent->socket_.get(), &room, 1, nullptr, &flags, lent, nullptr),
            "WSARecv");
    }

    static void send_rest(std::unique_ptr<connection> mine) {
        mine->clear();
        mine->receiving_ = false;
        WSABUF rest{mine->end_ - mine->begin_, mine->buffer_ + mine->begin_};
        connection* const lent = mine.release();
        // lent: the connection -> kernel until its packet is dequeued
        check_submitted(lent,
                        ::WSASend(lent->socket_.get(), &rest, 1, nullptr, 0, lent, nullptr),
                        "WSASend");
    }

    // We do not know which worker gets the packet, and it may get it before the call
    // returns. So everything that it will need is written before the submit, and nothing is
    // touched after it.
    static void check_submitted(connection* lent, int returned, const char* call) {
        const int code = returned == 0 ? 0 : ::WSAGetLastError();
        if (code != 0 && code != WSA_IO_PENDING) {
            const std::unique_ptr<connection> mine{lent};
            // back: the connection: at once, and it goes
            iocp::report(code, call);
        }
    }
    // [/submit]

    void close() noexcept { iocp::cancel_and_close(socket_); }

private:
    iocp::unique_socket socket_;
    iocp::live_set<connection>& live_;
    char buffer_[4096];
    ULONG begin_ = 0; // received and not yet sent: buffer_[begin_, end_)
    ULONG end_ = 0;
    bool receiving_ = false;
};
// [/connection]
