#pragma once
// The engine, connection.hpp: one client, with a receive and a send in flight at once.

#include "acceptor.hpp"
#include "block.hpp"
#include "ledger.hpp"
#include "live_list.hpp"
#include "operation.hpp"
#include "settings.hpp"
#include "worker.hpp"

#include "common/error.hpp"
#include "common/overlapped_socket.hpp"
#include "common/unique.hpp"

#include <winsock2.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <utility>

using clock_type = std::chrono::steady_clock;

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
    500};                          // for the client to close after our last word
constexpr unsigned most_large = 2; // large blocks of one connection
constexpr ULONG much = 16 * 1024;  // a receive that brings less is followed by a small one
constexpr ULONG most_discarded = 1 << 20; // bytes that may come after our last word
constexpr DWORD most_in_send = 16;        // blocks that one call sends
// [/deadlines]

// A stream of bytes in both directions, for a policy that derives from it. It lives from
// start() until it is closed and the last of its operations is back.
class connection {
public:
    // `skip`: the socket is in skip mode.
    connection(iocp::unique_socket accepted, place held, live_list<connection>& all,
               const iocp::unique_handle& port, bool skip, const settings& how)
        : held_{std::move(held)}, socket_{std::move(accepted)}, live_{all}, port_{port},
          skip_{skip}, how_{how} {
        position_ = live_.enter(*this);
    }
    virtual ~connection() {
        live_.leave(position_);
        if (filling_ != nullptr) {
            keep(*filling_);
        }
        while (outgoing_ != nullptr) {
            keep(*std::exchange(outgoing_, outgoing_->next));
        }
    }
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    static void start(std::unique_ptr<connection> fresh) {
        // lent: the connection -> kernel until it is closed and its last operation is back
        fresh.release()->let_go();
    }

    // [policy]
    // What a policy may call, from any thread: send this block after those before it; say
    // that no more will be sent, and let the client close; reset the connection.
    // The caller must know that the connection still lives: it is inside one of this
    // connection's own functions, or it holds the connection.
    void send(block& data) {
        step([&] {
            if (finishing_ || closed_) {
                keep(data); // too late
                return;
            }
            data.next = nullptr;
            *end_of_outgoing_ = &data;
            end_of_outgoing_ = &data.next;
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

    // [hold]
    // For whoever has no operation of this connection, and knows that its destructor has
    // not ended, since that waits for a lock that the caller has. From here on until
    // let_go() the connection lives. False: it is closed, and may be gone any moment.
    bool hold() {
        const std::lock_guard lock{lock_};
        holds_ += closed_ ? 0 : 1;
        return !closed_;
    }
    void let_go() {
        step([&] { --holds_; });
    }
    // [/hold]

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
    // the last of its operations is back, and nobody holds it. Before that the kernel may
    // still write to it; after that no packet can lead to it.
    template <class Change>
    void step(Change change) {
        std::unique_lock lock{lock_};
        change();
        advance();
        const bool last = closed_ && !receive_.busy && !send_.busy && holds_ == 0;
        lock.unlock();
        if (last) {
            const std::unique_ptr<connection> mine{this};
            // back: the connection
        }
    }
    // [/step]

    // [next_block]
    // While a client is silent, what waits for it is the small block. A large one is lent
    // when much comes, and only when it is there already.
    bool has_room() const { return spare_ != nullptr || larges_ < most_large; }

    block* next_block() {
        if (larges_ < most_large && (how_.no_small || (much_comes_ && much_waits()))) {
            if (block* const large = free_blocks.take()) {
                ++larges_;
                return large;
            }
        }
        return std::exchange(spare_, nullptr);
    }

    bool much_waits() {
        u_long waiting = 0;
        if (::ioctlsocket(socket_.get(), FIONREAD, &waiting) == SOCKET_ERROR) {
            iocp::report(::WSAGetLastError(), "ioctlsocket FIONREAD");
        }
        return waiting > small_.size;
    }

    void keep(block& data) {
        if (data.give_back != nullptr) {
            data.give_back(data);
        } else if (&data == &small_) {
            spare_ = &small_;
        } else {
            --larges_;
            free_blocks.give(data);
        }
        if (filling_ == &data) {
            filling_ = nullptr;
        }
    }
    // [/next_block]

    // [turn]
    // One echo a turn: when others wait, the next receive is not made now. receive_ stands
    // in the ready queue instead, and is busy: that holds the connection, as if it were
    // lent.
    void wait_for_turn() {
        receive_.lend();
        receive_.busy = true;
        receive_.ended = {};
        waits_for_turn_ = true;
        worker::ready(receive_, port_);
    }

    void take_turn() {
        step([&] {
            waits_for_turn_ = false;
            receive_.busy = false;
            has_turn_ = true;
        });
    }
    // [/turn]

    // [received]
    void received(result ended) noexcept {
        if (waits_for_turn_) { // only this worker knows receive_ now
            take_turn();
            return;
        }
        if (probing_ && ended.error == ERROR_SUCCESS) {
            step([&] {
                receive_.busy = false;
                probed_ = true; // now a receive with a block, which ends at once
                has_turn_ = true;
            });
            return;
        }
        if (is_good(ended, "WSARecv")) { // receive_ is still busy: it holds the connection
            handling_ = true;
            if (said_all_) {
                discarded_ += ended.bytes;
            } else if (ended.bytes > 0) {
                much_comes_ = ended.bytes == filling_->size || ended.bytes >= much;
                filling_->begin = 0;
                filling_->end = ended.bytes;
                on_received(*filling_);
            } else {
                on_end();
            }
        }
        step([&] {
            receive_.busy = false;
            probed_ = false;
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
        is_good(ended, "WSASend");
        step([&] { count_sent(ended.bytes); });
    }

    void count_sent(DWORD bytes) {
        send_.busy = false;
        echoed_ = progress_;
        books.bytes += bytes;
        // All of them, or, for all we know, a part. A block of no bytes is sent with them.
        while (outgoing_ != nullptr && (bytes > 0 || outgoing_->begin == outgoing_->end)) {
            const DWORD part = std::min(bytes, outgoing_->end - outgoing_->begin);
            bytes -= part;
            outgoing_->begin += part;
            if (outgoing_->begin == outgoing_->end) {
                keep(*std::exchange(outgoing_, outgoing_->next));
            }
        }
        if (outgoing_ == nullptr) {
            end_of_outgoing_ = &outgoing_;
        }
    }

    bool is_good(result ended, const char* call) noexcept {
        const std::lock_guard lock{lock_};
        if (!closed_ && ended.error != ERROR_SUCCESS) { // this client is lost
            lose(ended.error, call);
        }
        progress_ = clock_type::now();
        return !closed_; // what is left of a closed connection does not matter
    }

    void lose(DWORD error, const char* call) {
        ++books.lost;
        if (error != ERROR_NETNAME_DELETED && error != WSAECONNRESET) {
            iocp::report(error, call); // a reset is the client's affair, and worth no line
        }
        close();
    }
    // [/sent]

    // [advance]
    // Whatever has changed, the question is the same: what can be done now?
    void advance() {
        while (!closed_ && !send_.busy && outgoing_ != nullptr) {
            submit_send();
        }
        if (!closed_ && !receive_.busy && !input_over_ && has_room()) {
            if (has_turn_ || how_.no_defer || !worker::others_wait()) {
                submit_receive();
            } else {
                wait_for_turn();
            }
        }
        if (!closed_ && finishing_ && outgoing_ == nullptr && !said_all_) {
            say_all();
        }
        if (!closed_ && said_all_ && (input_over_ || discarded_ > most_discarded)) {
            close();
        }
        has_turn_ = false;
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
        // [room]
        probing_ = how_.zero_byte && !probed_;
        if (!probing_) {
            filling_ = next_block();
            if (filling_ == nullptr) {
                return; // when a send is back
            }
            filling_->next = nullptr;
        }
        WSABUF room{probing_ ? 0 : filling_->size, probing_ ? nullptr : filling_->bytes};
        // [/room]
        DWORD bytes = 0; // of a success at once; the call writes it before it returns
        DWORD flags = 0;
        receive_.lend();
        // lent: receive_, *filling_ -> kernel until the packet is dequeued; in skip mode
        // until the call returns success
        const int returned =
            ::WSARecv(socket_.get(), &room, 1, &bytes, &flags, &receive_, nullptr);
        if (ended_at_once(receive_, returned, "WSARecv")) {
            receive_.ended = {bytes, ERROR_SUCCESS};
            worker::ready(receive_, port_, has_turn_); // the policy is called without lock
        }
    }

    void submit_send() {
        // [gather]
        WSABUF rest[most_in_send];
        DWORD count = 0;
        for (block* next = outgoing_; next != nullptr && count < most_in_send;
             next = next->next) {
            rest[count++] = {next->end - next->begin, next->bytes + next->begin};
        }
        // [/gather]
        DWORD bytes = 0;
        send_.lend();
        // lent: send_, the blocks in `rest` -> kernel until the packet is dequeued; in skip
        // mode until the call returns success
        const int returned =
            ::WSASend(socket_.get(), rest, count, &bytes, 0, &send_, nullptr);
        if (ended_at_once(send_, returned, "WSASend")) {
            send_.take_back();
            // back: send_, the blocks in `rest`
            count_sent(bytes);
        }
    }

    // [ended_at_once]
    // True if no packet will come: it has succeeded, in skip mode. A packet that comes may
    // have been dequeued already, but its worker waits for the lock that we hold.
    bool ended_at_once(own_operation& one, int returned, const char* call) {
        const int code = returned == 0 ? 0 : ::WSAGetLastError();
        one.busy = code == 0 || code == WSA_IO_PENDING;
        if (!one.busy) {
            one.take_back();
            // back: the operation and its block: at once
            lose(static_cast<DWORD>(code), call);
        }
        return code == 0 && skip_;
    }
    // [/ended_at_once]
    // [/submit]

    // [state]
    const place held_;
    iocp::unique_socket socket_;
    live_list<connection>& live_;
    const iocp::unique_handle& port_;
    const bool skip_;
    const settings& how_;
    std::mutex lock_; // of all below and of every call on the socket
    own_operation receive_{*this, &connection::received};
    own_operation send_{*this, &connection::sent};
    small_block small_;
    block* spare_ = &small_; // null: it is in use
    unsigned larges_ = 0;    // large blocks in use
    bool much_comes_ = false;
    bool probing_ = false;
    bool probed_ = false;       // something is there, or the end
    block* filling_ = nullptr;  // lent to the receive, then the policy's
    block* outgoing_ = nullptr; // to be sent, in order; the first ones are lent to the send
    block** end_of_outgoing_ = &outgoing_; // where the next one is linked
    unsigned holds_ = 1;                   // the first one is start()'s
    std::atomic<bool> handling_{false};    // the policy is at work
    bool input_over_ = false;
    bool finishing_ = false;            // no more is taken to be sent
    std::atomic<bool> said_all_{false}; // SD_SEND: what comes now is thrown away
    bool closed_ = false;
    bool waits_for_turn_ = false; // receive_ is in a ready queue, and not submitted yet
    bool has_turn_ = false;
    std::atomic<ULONG> discarded_{0};                     // counted without the lock
    clock_type::time_point progress_ = clock_type::now(); // when bytes moved last
    clock_type::time_point echoed_{};                     // when a send ended last
    clock_type::time_point said_all_at_{};
    live_list<connection>::position position_{};
    // [/state]
};
