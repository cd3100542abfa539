#pragma once
// Chapter 10, first file: what is in flight, and the connection that counts it.

#include "common/error.hpp"
#include "common/event_acceptor.hpp"
#include "common/live_set.hpp"
#include "common/operation.hpp"
#include "common/overlapped_socket.hpp"
#include "common/unique.hpp"

#include <winsock2.h>

#include <memory>
#include <mutex>
#include <utility>

// [kinds]
// The key says which kind of handle a packet is about, the operation says what has ended.
enum class kind { accept, receive, send };

struct io_operation : iocp::operation {
    explicit io_operation(kind what_it_is) : what{what_it_is} {}
    const kind what;
};

struct accept_operation : io_operation {
    accept_operation() : io_operation{kind::accept} {}
    iocp::unique_socket socket;
    char addresses[2 * iocp::accept_address_room];
};

struct connection_operation : io_operation {
    connection_operation(kind what_it_is, class connection& belongs_to)
        : io_operation{what_it_is}, owner{belongs_to} {}
    class connection& owner;
    bool in_flight = false;
};
// [/kinds]

class connection {
public:
    connection(iocp::unique_socket accepted, iocp::live_set<connection>& all)
        : socket_{std::move(accepted)}, siblings_{all} {
        siblings_.enter(*this);
    }
    ~connection() { siblings_.leave(*this); }
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    // [count]
    // [run]
    // Every step of a connection is made here, and here is the one place where it ends:
    // closed, and the last of its operations is back. Before that the kernel may still
    // write to it; after that no packet can lead to it.
    template <class Step>
    static void run(connection& c, Step step) {
        bool last = false;
        {
            const std::lock_guard lock{c.lock_};
            step();
            c.move_on();
            last = c.closed_ && c.in_flight_ == 0;
        } // unlocked before it is destroyed
        if (last) {
            const std::unique_ptr<connection> mine{&c};
            // back: the connection
        }
    }
    // [/run]

    // [start]
    static void start(std::unique_ptr<connection> fresh) {
        // lent: the connection -> kernel until it is closed and its last operation is back
        run(*fresh.release(), [] {});
    }
    // [/start]

    // [completed]
    static void completed(connection_operation& operation, DWORD bytes, DWORD code) {
        connection& c = operation.owner;
        run(c, [&] {
            operation.in_flight = false;
            --c.in_flight_;
            // back: operation, and the inbox with a receive, the outbox with a send
            if (c.closed_) {
                return; // what it brought does not matter any more
            }
            const bool receiving = operation.what == kind::receive;
            if (code != ERROR_SUCCESS) {
                iocp::report(code, receiving ? "WSARecv" : "WSASend");
                c.close();
            } else if (receiving) {
                c.waiting_ = bytes;
                c.input_over_ = bytes == 0;
            } else {
                c.begin_ += bytes; // all of it, or, for all we know, a part
            }
        });
    }
    // [/completed]
    // [/count]

    // Its operations come back all the same, as failures.
    void close() {
        closed_ = true;
        iocp::cancel_and_close(
            socket_); // nobody is inside a call on it: such calls are made under the lock
    }

private:
    // [move_on]
    // Whatever has ended, the question is the same: what can be done now?
    void move_on() {
        if (begin_ == end_ && waiting_ > 0) { // the outbox is empty: the two change places
            std::swap(inbox_, outbox_);
            begin_ = 0;
            end_ = std::exchange(waiting_, 0);
        }
        if (!closed_ && !send_.in_flight && begin_ < end_) {
            submit_send();
        }
        if (!closed_ && !receive_.in_flight && waiting_ == 0 && !input_over_) {
            submit_receive();
        }
        if (!closed_ && input_over_ && begin_ == end_) {
            if (::shutdown(socket_.get(), SD_SEND) == SOCKET_ERROR) {
                iocp::report(::WSAGetLastError(), "shutdown");
            }
            close();
        }
    }
    // [/move_on]

    // [submit]
    // [submit_receive]
    void submit_receive() {
        receive_.clear();
        WSABUF room{buffer_size, inbox_};
        DWORD flags = 0;
        // lent: receive_, the inbox -> kernel until the packet is dequeued
        after_submit(
            receive_,
            ::WSARecv(socket_.get(), &room, 1, nullptr, &flags, &receive_, nullptr),
            "WSARecv");
    }
    // [/submit_receive]

    void submit_send() {
        send_.clear();
        WSABUF rest{end_ - begin_, outbox_ + begin_};
        // lent: send_, the outbox -> kernel until the packet is dequeued
        after_submit(send_, ::WSASend(socket_.get(), &rest, 1, nullptr, 0, &send_, nullptr),
                     "WSASend");
    }

    // [after_submit]
    // The packet may have been dequeued already, but its worker waits for the lock that we
    // hold. So, unlike in chapter 08, the connection may still be touched here.
    void after_submit(connection_operation& operation, int returned, const char* call) {
        const int code = returned == 0 ? 0 : ::WSAGetLastError();
        if (code == 0 || code == WSA_IO_PENDING) {
            operation.in_flight = true;
            ++in_flight_;
            return;
        }
        // back: operation and its buffer: at once
        iocp::report(code, call);
        close();
    }
    // [/after_submit]
    // [/submit]

    // [state]
    // Two buffers: while one is being sent, the other is being filled. When that is full
    // and the first still busy, it waits, and no receive is submitted: a client that does
    // not read stops its own sending, and costs two buffers.
    static constexpr ULONG buffer_size = 8 * 1024;

    iocp::unique_socket socket_;
    iocp::live_set<connection>& siblings_;
    std::mutex lock_; // of all below and of every call on the socket: two workers may meet
                      // here, one with each packet
    connection_operation receive_{kind::receive, *this};
    connection_operation send_{kind::send, *this};
    char buffers_[2][buffer_size];
    char* inbox_ = buffers_[0];  // lent to the receive
    char* outbox_ = buffers_[1]; // lent to the send
    ULONG waiting_ = 0;          // bytes in the inbox, received while the outbox was busy
    ULONG begin_ = 0;            // still to be sent: outbox_[begin_, end_)
    ULONG end_ = 0;
    int in_flight_ = 0;
    bool input_over_ = false;
    bool closed_ = false;
    // [/state]
};
