#pragma once
// Chapter 13, first file: a connection with two of the three switches, skip mode and
// zero-byte receives.

#include "common/accept_pool.hpp"
#include "common/error.hpp"
#include "common/live_set.hpp"
#include "common/operation.hpp"
#include "common/overlapped_socket.hpp"
#include "common/port.hpp"
#include "common/unique.hpp"

#include <winsock2.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <new>
#include <utility>

using clock_type = std::chrono::steady_clock;
using iocp::kind;

inline constexpr std::chrono::milliseconds quiet{
    100}; // at the end of the server: no progress for so long is the end of a conversation

enum completion_key : ULONG_PTR { listener_key = 1, client_key = 2 };

struct connection_operation : iocp::typed_operation {
    connection_operation(kind what_it_is, class connection& belongs_to)
        : iocp::typed_operation{what_it_is}, owner{belongs_to} {}
    class connection& owner;
    bool in_flight = false;
};

// [switches]
// What all connections of a server share.
struct connection_settings {
    bool skip = false;      // an operation that succeeds at once queues no packet
    bool zero_byte = false; // wait for data without lending a buffer
    const iocp::unique_handle* port = nullptr;
};
// [/switches]

// [phase]
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
    connection(iocp::unique_socket accepted, iocp::live_set<connection>& all,
               const connection_settings& settings, bool skip_mode)
        : settings_{settings}, skip_{skip_mode}, socket_{std::move(accepted)}, siblings_{
                                                                                   all} {
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
            int turns = 0;
            do { // a loop, not a recursion: what succeeds at once is gone on with here
                c.at_once_ = false;
                c.may_go_on_ = ++turns < fair_share;
                c.move_on();
            } while (c.at_once_);
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
            c.apply(operation, bytes);
        });
    }
    // [/completed]

    // [completed_in_batch]
    // An entry of a batch does not say what has become of the operation, but the operation
    // knows: it is asked as in chapter 05, of the socket that it was started on, and
    // without waiting. The answer is a Winsock code.
    static void completed_in_batch(connection_operation& operation, DWORD bytes) {
        connection& c = operation.owner;
        DWORD code = ERROR_SUCCESS;
        {
            const std::lock_guard lock{c.lock_};
            DWORD ignored = 0; // the entry has the count
            DWORD flags = 0;
            if (c.phase_ != phase::closed &&
                !::WSAGetOverlappedResult(c.socket_.get(), &operation, &ignored, FALSE,
                                          &flags)) {
                code = static_cast<DWORD>(::WSAGetLastError());
            }
        }
        completed(
            operation, bytes,
            code); // it is in flight until then, so the connection cannot go in between
    }
    // [/completed_in_batch]

    // [look]
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

    // [apply]
    void apply(connection_operation& operation, DWORD bytes) {
        if (operation.what == kind::send) {
            begin_ += bytes;
            echoed_ = progress_;
        } else if (std::exchange(probing_, false)) {
            readable_ = true; // 0 bytes, and that means nothing: a real receive tells data
                              // from the end
        } else { // perhaps cancelled, but too late: then it brings data like any other
            readable_ = false;
            waiting_ = phase_ == phase::lingering ? 0 : bytes;
            input_over_ = bytes == 0;
        }
    }
    // [/apply]

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
        if (phase_ != phase::closed && over && begin_ == end_ && waiting_ == 0 &&
            !receive_.in_flight) {
            say_goodbye();
        }
        if ((phase_ == phase::open || phase_ == phase::lingering) && !receive_.in_flight &&
            waiting_ == 0 && !input_over_) {
            settings_.zero_byte && !readable_ ? submit_probe() : submit_receive();
        }
        if (probing_ && begin_ == end_) { // nothing to send, and nothing lent but the probe
            inbox_.reset();
            outbox_.reset();
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

    // [zero_byte]
    // Lends no byte of memory but the operation itself. It ends when there is something to
    // receive, and leaves it there. So a connection that is idle needs no buffer.
    void submit_probe() {
        probing_ = true;
        receive_.clear();
        WSABUF nothing{0, nullptr};
        DWORD bytes = 0;
        DWORD flags = 0;
        // lent: receive_ -> kernel until the packet is dequeued, or the call returns
        // success in skip mode
        const int returned =
            ::WSARecv(socket_.get(), &nothing, 1, &bytes, &flags, &receive_, nullptr);
        after_submit(receive_, returned, bytes, "WSARecv");
    }
    // [/zero_byte]

    // [submit_receive]
    void submit_receive() {
        if (!inbox_) {
            inbox_.reset(new (std::nothrow) char[buffer_size]);
            if (!inbox_) { // want of memory costs this client, not the server
                close();
                return;
            }
        }
        receive_.clear();
        WSABUF room{buffer_size, inbox_.get()};
        DWORD bytes = 0;
        DWORD flags = 0;
        // lent: receive_, the inbox -> kernel until the packet is dequeued, or the call
        // returns success in skip mode
        const int returned =
            ::WSARecv(socket_.get(), &room, 1, &bytes, &flags, &receive_, nullptr);
        after_submit(receive_, returned, bytes, "WSARecv");
    }
    // [/submit_receive]

    void submit_send() {
        send_.clear();
        WSABUF rest{end_ - begin_, outbox_.get() + begin_};
        DWORD bytes = 0;
        // lent: send_, the outbox -> kernel until the packet is dequeued, or the call
        // returns success in skip mode
        const int returned = ::WSASend(socket_.get(), &rest, 1, &bytes, 0, &send_, nullptr);
        after_submit(send_, returned, bytes, "WSASend");
    }

    // [after_submit]
    // `bytes` was written by the call into a local variable of its caller, and means
    // something after a success only.
    void after_submit(connection_operation& operation, int returned, DWORD bytes,
                      const char* call) {
        const int code = returned == 0 ? 0 : ::WSAGetLastError();
        if (code != 0 && code != WSA_IO_PENDING) {
            // back: operation and its buffer: at once
            iocp::report(code, call);
            close();
            return;
        }
        operation.in_flight = true;
        ++in_flight_;
        if (code == 0 && skip_) { // no packet will come: either we go on with it now, or we
                                  // make a packet for it
            if (!may_go_on_ && ::PostQueuedCompletionStatus(settings_.port->get(), bytes,
                                                            client_key, &operation)) {
                return; // at the end of the queue: the other clients come first
            }
            operation.in_flight = false;
            --in_flight_;
            // back: operation and its buffer: the call has returned success
            progress_ = clock_type::now();
            apply(operation, bytes);
            at_once_ = true;
        }
    }
    // [/after_submit]

    // [state]
    static constexpr ULONG buffer_size = 8 * 1024;
    static constexpr int fair_share =
        16; // turns on one connection before the others have theirs

    const connection_settings& settings_;
    const bool skip_; // asked for, and what its provider allows
    iocp::unique_socket socket_;
    iocp::live_set<connection>& siblings_;
    std::mutex lock_; // of all below and of every call on the socket: workers and the main
                      // thread meet here
    connection_operation receive_{kind::receive, *this};
    connection_operation send_{kind::send, *this};
    std::unique_ptr<char[]> inbox_;  // lent to the receive
    std::unique_ptr<char[]> outbox_; // lent to the send
    ULONG waiting_ = 0; // bytes in the inbox, received while the outbox was busy
    ULONG begin_ = 0;   // still to be sent: outbox_[begin_, end_)
    ULONG end_ = 0;
    int in_flight_ = 0;
    bool probing_ = false;   // the receive in flight is one of zero bytes
    bool readable_ = false;  // such a receive has ended: there is something to receive
    bool at_once_ = false;   // an operation has succeeded at once and was applied
    bool may_go_on_ = false; // there are turns left
    bool input_over_ = false;
    bool linger_ = false;
    phase phase_ = phase::open;
    clock_type::time_point progress_ =
        clock_type::now();            // when bytes moved last, in either direction
    clock_type::time_point echoed_{}; // when a send ended last
    // [/state]
};
