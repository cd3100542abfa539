#pragma once
// The engine, connection.hpp: one client, with a receive and a send in flight at once.

#include "live_list.hpp"
#include "operation.hpp"

#include "common/error.hpp"
#include "common/overlapped_socket.hpp"
#include "common/unique.hpp"

#include <winsock2.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <utility>

using clock_type = std::chrono::steady_clock;

// [block]
// Bytes on their way from a receive to a send.
struct block {
    static constexpr ULONG size = 8 * 1024;

    char bytes[size];
    ULONG begin = 0; // received and not yet sent: bytes[begin, end)
    ULONG end = 0;
    block* next = nullptr;
};
// [/block]

// A stream of bytes in both directions, for a policy that derives from it. It lives from
// start() until it is closed and the last of its operations is back.
class connection {
public:
    connection(iocp::unique_socket accepted, live_list<connection>& all)
        : socket_{std::move(accepted)}, live_{all} {
        keep(blocks_[0]);
        keep(blocks_[1]);
        position_ = live_.enter(*this);
    }
    virtual ~connection() { live_.leave(position_); }
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    static void start(std::unique_ptr<connection> fresh) {
        // lent: the connection -> kernel until it is closed and its last operation is back
        fresh.release()->step([] {});
    }

    // [policy]
    // What a policy may call, from any thread: send this block after those before it; say
    // that no more will be sent, and close; close now.
    // The caller must know that the connection still lives: it is inside one of this
    // connection's own functions. (From chapter 17 on one can hold another client's.)
    void send(block& data) {
        step([&] {
            block** last = &outgoing_;
            while (*last != nullptr) {
                last = &(*last)->next;
            }
            *last = &data;
            if (&data == filling_) {
                filling_ = nullptr;
            }
        });
    }
    void finish() {
        step([&] { finishing_ = true; });
    }
    void abort() {
        step([&] { close(); });
    }

    // [deadline]
    // For the sweep: the lock, if it is free and the connection is not closed.
    std::unique_lock<std::mutex> try_lock() {
        std::unique_lock lock{lock_, std::try_to_lock};
        if (lock && closed_) {
            lock.unlock();
        }
        return lock;
    }

    // The next two are for whoever holds the lock.
    void close_if_idle(clock_type::time_point now, clock_type::duration limit) {
        if (!handling_ && now - progress_ >= limit) {
            close();
        }
    }

    // Nobody is inside a call on the socket: such calls are made under the lock. What is in
    // flight comes back all the same, as a failure.
    void close() {
        closed_ = true;
        iocp::cancel_and_close(socket_);
    }
    // [/deadline]

protected:
    // What a policy is told, without the lock and one thing at a time. The block is the
    // policy's until it is sent or the function returns. The next receive waits for that,
    // so a policy is never overtaken; and it waits for a block, so a client that does not
    // read stops its own sending.
    virtual void on_received(block& data) noexcept = 0;
    virtual void on_end() noexcept = 0; // the client has said all
    // [/policy]

private:
    // [own_operation]
    struct own_operation final : operation {
        own_operation(connection& c, void (connection::*what)(result) noexcept)
            : owner{c}, then{what} {}
        void complete(result ended) noexcept override { (owner.*then)(ended); }

        connection& owner;
        void (connection::*const then)(result) noexcept;
        bool busy = false; // lent, or its end is being handled
    };
    // [/own_operation]

    // [step]
    // Every change is made here, and here is the one place where a connection ends: closed,
    // and the last of its operations is back. Before that the kernel may still write to it;
    // after that no packet can lead to it.
    template <class Change>
    void step(Change change) {
        std::unique_lock lock{lock_};
        change();
        advance();
        const bool last = closed_ && !receive_.busy && !send_.busy;
        lock.unlock();
        if (last) {
            const std::unique_ptr<connection> mine{this};
            // back: the connection
        }
    }
    // [/step]

    // [received]
    void received(result ended) noexcept {
        if (is_good(ended, "WSARecv")) { // receive_ is still busy: it holds the connection
            handling_ = true;
            if (ended.bytes > 0) {
                filling_->begin = 0;
                filling_->end = ended.bytes;
                on_received(*filling_);
            } else {
                on_end();
            }
        }
        step([&] {
            receive_.busy = false;
            handling_ = false;
            input_over_ = ended.bytes == 0;
            if (filling_ != nullptr) { // the policy has not sent it
                keep(*filling_);
            }
        });
    }
    // [/received]

    // [sent]
    void sent(result ended) noexcept {
        const bool good = is_good(ended, "WSASend");
        step([&] {
            send_.busy = false;
            outgoing_->begin += ended.bytes; // all of it, or, for all we know, a part
            if (good && outgoing_->begin == outgoing_->end) {
                keep(*std::exchange(outgoing_, outgoing_->next));
            }
        });
    }

    bool is_good(result ended, const char* call) noexcept {
        const std::lock_guard lock{lock_};
        if (!closed_ && ended.error != ERROR_SUCCESS) { // this client is lost
            iocp::report(ended.error, call);
            close();
        }
        progress_ = clock_type::now();
        return !closed_; // what is left of a closed connection does not matter
    }
    // [/sent]

    // [advance]
    // Whatever has changed, the question is the same: what can be done now?
    void advance() {
        if (!closed_ && !send_.busy && outgoing_ != nullptr) {
            submit_send();
        }
        if (!closed_ && !receive_.busy && !input_over_ && spare_ != nullptr) {
            submit_receive();
        }
        if (!closed_ && finishing_ && outgoing_ == nullptr) {
            if (::shutdown(socket_.get(), SD_SEND) == SOCKET_ERROR) {
                iocp::report(::WSAGetLastError(), "shutdown");
            }
            close();
        }
    }
    // [/advance]

    // [submit]
    void submit_receive() {
        filling_ = std::exchange(spare_, spare_->next);
        filling_->next = nullptr;
        WSABUF room{block::size, filling_->bytes};
        DWORD flags = 0;
        receive_.clear();
        // lent: receive_, *filling_ -> kernel until the packet is dequeued
        check_submitted(
            receive_,
            ::WSARecv(socket_.get(), &room, 1, nullptr, &flags, &receive_, nullptr),
            "WSARecv");
    }

    void submit_send() {
        WSABUF rest{outgoing_->end - outgoing_->begin, outgoing_->bytes + outgoing_->begin};
        send_.clear();
        // lent: send_, *outgoing_ -> kernel until the packet is dequeued
        check_submitted(send_,
                        ::WSASend(socket_.get(), &rest, 1, nullptr, 0, &send_, nullptr),
                        "WSASend");
    }

    // [check_submitted]
    // The packet may have been dequeued already, but its worker waits for the lock that we
    // hold. So, unlike in chapter 09, the connection may still be touched here.
    void check_submitted(own_operation& one, int returned, const char* call) {
        const int code = returned == 0 ? 0 : ::WSAGetLastError();
        one.busy = code == 0 || code == WSA_IO_PENDING;
        if (!one.busy) {
            // back: the operation and its block: at once
            iocp::report(code, call);
            close();
        }
    }
    // [/check_submitted]
    // [/submit]

    void keep(block& data) {
        data.next = spare_;
        spare_ = &data;
        if (filling_ == &data) {
            filling_ = nullptr;
        }
    }

    // [state]
    iocp::unique_socket socket_;
    live_list<connection>& live_;
    std::mutex lock_; // of all below and of every call on the socket
    own_operation receive_{*this, &connection::received};
    own_operation send_{*this, &connection::sent};
    block blocks_[2];
    block* spare_ = nullptr;    // blocks that nobody uses
    block* filling_ = nullptr;  // lent to the receive, then the policy's
    block* outgoing_ = nullptr; // to be sent, in order; the first is lent to the send
    std::atomic<bool> handling_{false}; // the policy is at work
    bool input_over_ = false;
    bool finishing_ = false;
    bool closed_ = false;
    clock_type::time_point progress_ = clock_type::now(); // when bytes moved last
    live_list<connection>::position position_{};
    // [/state]
};
