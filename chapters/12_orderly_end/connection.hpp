#pragma once
// Chapter 12, first file: a connection that can be asked to end.

#include "common/error.hpp"
#include "common/live_set.hpp"
#include "common/operation.hpp"
#include "common/overlapped_socket.hpp"
#include "common/unique.hpp"

#include <winsock2.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <utility>

using clock_type = std::chrono::steady_clock;
using iocp::kind;

inline constexpr std::chrono::milliseconds quiet{
    100}; // at the end of the server: no progress for so long is the end of a conversation

struct connection_operation : iocp::typed_operation {
    connection_operation(kind what_it_is, class connection& belongs_to)
        : iocp::typed_operation{what_it_is}, owner{belongs_to} {}
    class connection& owner;
    bool in_flight = false;
};

// [phase]
// A connection only goes forward in this list. `finishing` is the closing flag: it is set
// under the lock, every submit is made under the lock, so no receive can slip through
// between the look at the flag and the cancel.
enum class phase {
    open,
    finishing, // receives no more: its receive has been cancelled, what it owes is being
               // sent
    lingering, // has said all (SD_SEND) and waits for the client to leave; what comes now
               // is thrown away
    closed     // the socket is closed, its operations are on their way back
};
// [/phase]

class connection {
public:
    connection(iocp::unique_socket accepted, iocp::live_set<connection>& all)
        : socket_{std::move(accepted)}, siblings_{all} {
        siblings_.enter(*this);
    }
    ~connection() { siblings_.leave(*this); }
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    // [run]
    template <class Step>
    static void run(connection& c, Step step) {
        bool last = false;
        {
            const std::lock_guard lock{c.lock_};
            step();
            c.move_on();
            last = c.phase_ == phase::closed && c.in_flight_ == 0;
        } // unlocked before it is destroyed
        if (last) {
            const std::unique_ptr<connection> mine{&c};
            // back: the connection
        }
    }
    // [/run]

    static void start(std::unique_ptr<connection> fresh) {
        // lent: the connection -> kernel until it is closed and its last operation is back
        run(*fresh.release(), [] {});
    }

    // [completed]
    static void completed(connection_operation& operation, DWORD bytes, DWORD code) {
        connection& c = operation.owner;
        run(c, [&] {
            operation.in_flight = false;
            --c.in_flight_;
            // back: operation, and the inbox with a receive, the outbox with a send
            const bool receiving = operation.what == kind::receive;
            if (c.phase_ == phase::closed) {
                return;
            }
            if (code == ERROR_OPERATION_ABORTED && c.phase_ == phase::finishing) {
                return; // the cancel was in time: it brought nothing
            }
            if (code != ERROR_SUCCESS) {
                iocp::report(code, receiving ? "WSARecv" : "WSASend");
                c.close();
                return;
            }
            c.progress_ = clock_type::now();
            if (receiving) { // perhaps cancelled, but too late: then it brings data like
                             // any other
                c.waiting_ = c.phase_ == phase::lingering ? 0 : bytes;
                c.input_over_ = bytes == 0;
            } else {
                c.begin_ += bytes;
                c.echoed_ = c.progress_;
            }
        });
    }
    // [/completed]

    // [look]
    // [idle]
    // The main thread looks at every connection now and then. It only cancels and closes,
    // it submits nothing: so an operation that is in flight stays counted, and its packet
    // ends the connection as ever.
    void let_go_if_idle(clock_type::time_point now, clock_type::duration limit) {
        const std::lock_guard lock{lock_};
        if (now - progress_ < limit) {
            return;
        }
        if (phase_ == phase::open && begin_ == end_) {
            finish();
        } else {
            close(); // it does not take what we send, or does not leave: no more patience
        }
    }
    // [/idle]

    // [quiet]
    // For the end of the server: a connection that is busy may go on, and ends when it has
    // become quiet.
    void finish_if_quiet(clock_type::time_point now, clock_type::time_point stopped_at) {
        const std::lock_guard lock{lock_};
        if (phase_ == phase::open && begin_ == end_ && now - progress_ >= quiet) {
            linger_ = echoed_ > stopped_at; // it was in the middle of something: its last
                                            // bytes may be on the way
            finish();
        }
    }
    // [/quiet]

    void close_now() {
        const std::lock_guard lock{lock_};
        close();
    }
    // [/look]

private:
    // [finish]
    void finish() {
        phase_ = phase::finishing;
        if (!::CancelIoEx(reinterpret_cast<HANDLE>(socket_.get()), &receive_)) {
            const DWORD code = ::GetLastError();
            if (code != ERROR_NOT_FOUND) { // 1168: it has just ended by itself; its packet
                                           // is on the way
                iocp::report(code, "CancelIoEx");
                close();
            }
        }
        // Still lent: receive_ and the inbox. CancelIoEx has asked, the packet answers.
    }
    // [/finish]

    void close() {
        phase_ = phase::closed;
        iocp::cancel_and_close(
            socket_); // nobody is inside a call on it: such calls are made under the lock
    }

    // [move_on]
    void move_on() {
        if (begin_ == end_ && waiting_ > 0) { // the outbox is empty: the two change places
            std::swap(inbox_, outbox_);
            begin_ = 0;
            end_ = std::exchange(waiting_, 0);
        }
        if (phase_ != phase::closed && !send_.in_flight && begin_ < end_) {
            submit_send();
        }
        const bool over = input_over_ || phase_ == phase::finishing;
        if (phase_ != phase::closed && over && begin_ == end_ && !receive_.in_flight) {
            say_goodbye();
        }
        if ((phase_ == phase::open || phase_ == phase::lingering) && !receive_.in_flight &&
            waiting_ == 0 && !input_over_) {
            submit_receive();
        }
    }
    // [/move_on]

    // [goodbye]
    // Closing a socket that has unread input resets the connection, and a reset may destroy
    // echo that the client has not read yet. So: say that we send no more, read until the
    // client leaves, close.
    void say_goodbye() {
        if (phase_ != phase::lingering &&
            ::shutdown(socket_.get(), SD_SEND) == SOCKET_ERROR) {
            iocp::report(::WSAGetLastError(), "shutdown");
        }
        if (linger_ && !input_over_) {
            phase_ = phase::lingering;
        } else {
            close();
        }
    }
    // [/goodbye]

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

    // [state]
    static constexpr ULONG buffer_size = 8 * 1024;

    iocp::unique_socket socket_;
    iocp::live_set<connection>& siblings_;
    std::mutex lock_; // of all below and of every call on the socket: workers and the main
                      // thread meet here
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
    bool linger_ = false;
    phase phase_ = phase::open;
    clock_type::time_point progress_ =
        clock_type::now();            // when bytes moved last, in either direction
    clock_type::time_point echoed_{}; // when a send ended last
    // [/state]
};
