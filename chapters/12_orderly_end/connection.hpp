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

// [deadlines]
// What a sweep knows when it looks at a connection.
struct deadlines {
    clock_type::time_point now;
    clock_type::duration idle_limit{}; // zero: none
    bool stopping = false;
    clock_type::time_point stopped_at{};
    bool out_of_time = false;
};
constexpr std::chrono::milliseconds quiet{
    100}; // stopping: so long without a byte is a pause
constexpr std::chrono::milliseconds linger{
    500};                                 // for the client to close after our last word
constexpr ULONG most_discarded = 1 << 20; // bytes that may come after our last word
// [/deadlines]

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
    // that no more will be sent, and let the client close; reset the connection.
    // The caller must know that the connection still lives: it is inside one of this
    // connection's own functions. (From chapter 17 on one can hold another client's.)
    void send(block& data) {
        step([&] {
            if (finishing_) {
                return; // too late
            }
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
        step([&] { reset(); });
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

    // [look_after]
    // For whoever holds the lock. True when the client was reset because time is up.
    bool look_after(const deadlines& with) {
        const bool at_rest = !handling_ && outgoing_ == nullptr;
        const auto silent_for = with.now - progress_;
        if (with.out_of_time) {
            reset();
            return true;
        }
        if (said_all_) { // what was sent a moment ago may still be on its way
            const bool in_talk = with.stopping && echoed_ > with.stopped_at;
            if (!in_talk && with.now - said_all_at_ >= linger) {
                close();
            }
        } else if (with.stopping && at_rest && silent_for >= quiet) {
            finishing_ = true;
            advance();
        } else if (with.idle_limit.count() > 0 && !handling_ &&
                   silent_for >= with.idle_limit) {
            if (at_rest) {
                finishing_ = true;
                advance();
            } else {
                reset(); // it does not take what we send
            }
        }
        return false;
    }
    // [/look_after]

    // Nobody is inside a call on the socket: such calls are made under the lock. What is in
    // flight comes back all the same, as a failure.
    void close() {
        closed_ = true;
        iocp::cancel_and_close(socket_);
    }

    // [reset]
    // Linger on, for 0 seconds: the system forgets what it has still to send.
    void reset() {
        const LINGER hard{1, 0};
        if (!closed_ && ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER,
                                     reinterpret_cast<const char*>(&hard),
                                     sizeof hard) == SOCKET_ERROR) {
            iocp::report(::WSAGetLastError(), "setsockopt SO_LINGER");
        }
        close();
    }
    // [/reset]
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
            if (said_all_) {
                discarded_ += ended.bytes;
            } else if (ended.bytes > 0) {
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
            echoed_ = progress_;
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
        if (!closed_ && finishing_ && outgoing_ == nullptr && !said_all_) {
            say_all();
        }
        if (!closed_ && said_all_ && (input_over_ || discarded_ > most_discarded)) {
            close();
        }
    }
    // [/advance]

    // [say_all]
    // Every send is back, and this is our last word. The receive stays in flight: to close
    // a socket that has unread input resets the connection, and a reset may destroy echo
    // that the client has not read yet. So we wait for the client to close.
    void say_all() {
        if (::shutdown(socket_.get(), SD_SEND) == SOCKET_ERROR) {
            iocp::report(::WSAGetLastError(), "shutdown");
        }
        said_all_ = true;
        said_all_at_ = clock_type::now();
    }
    // [/say_all]

    // [submit]
    void submit_receive() {
        filling_ = std::exchange(spare_, spare_->next);
        filling_->next = nullptr;
        WSABUF room{block::size, filling_->bytes};
        DWORD flags = 0;
        receive_.lend();
        // lent: receive_, *filling_ -> kernel until the packet is dequeued
        check_submitted(
            receive_,
            ::WSARecv(socket_.get(), &room, 1, nullptr, &flags, &receive_, nullptr),
            "WSARecv");
    }

    void submit_send() {
        WSABUF rest{outgoing_->end - outgoing_->begin, outgoing_->bytes + outgoing_->begin};
        send_.lend();
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
            one.take_back();
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
    bool finishing_ = false;            // no more is taken to be sent
    std::atomic<bool> said_all_{false}; // SD_SEND: what comes now is thrown away
    bool closed_ = false;
    std::atomic<ULONG> discarded_{0};                     // counted without the lock
    clock_type::time_point progress_ = clock_type::now(); // when bytes moved last
    clock_type::time_point echoed_{};                     // when a send ended last
    clock_type::time_point said_all_at_{};
    live_list<connection>::position position_{};
    // [/state]
};
