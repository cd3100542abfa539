#pragma once
// The engine, acceptor.hpp: accepts are packets too, and several wait for clients at a
// time.

#include "operation.hpp"
#include "settings.hpp"

#include "common/error.hpp"
#include "common/event_acceptor.hpp"
#include "common/extension_functions.hpp"
#include "common/overlapped_socket.hpp"
#include "common/port.hpp"
#include "common/unique.hpp"

#include <winsock2.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

class acceptor;

// [place]
// One of the places that clients have. An accept in flight takes one; the connection holds
// it until it is gone.
struct give_place_back {
    inline void operator()(acceptor* of) const noexcept;
};
using place = std::unique_ptr<acceptor, give_place_back>;
// [/place]

// Owns a listener and keeps accepts in flight on it. Any thread may call any function.
class acceptor {
public:
    using welcome = std::function<void(iocp::unique_socket, place)>;

    // `how` says how many accepts are to be in flight, and how many clients there may be;
    // each accepted socket is handed to `on_client`.
    acceptor(iocp::unique_socket listening, int family, const iocp::unique_handle& port,
             const settings& how, welcome on_client)
        : listener_{std::move(listening)}, family_{family}, most_{how.max_connections},
          extensions_{listener_.get()}, on_client_{std::move(on_client)} {
        iocp::associate(listener_.get(), port);
        for (unsigned i = 0; i < how.accepts; ++i) {
            accepts_.emplace_back(*this);
        }
    }

    // [top_up]
    // Submits what is not in flight. What cannot be submitted now is tried again: with the
    // next accept that comes back, and by the clock. One line tells of a failure that
    // lasts.
    void top_up() noexcept {
        const std::lock_guard lock{lock_};
        try {
            for (accept_operation& each : accepts_) {
                if (listener_ && !each.in_flight && taken_ < most_) {
                    submit(each);
                    ++taken_;
                }
            }
            if (!failing_) {
                last_failure_ = 0;
            }
        } catch (const iocp::call_error& problem) {
            report_once(problem.code(), problem.what());
        } catch (const std::exception& problem) {
            report_once(ERROR_OUTOFMEMORY, problem.what());
        }
    }
    // [/top_up]

    // [give_back]
    void give_back() noexcept {
        if (taken_-- == most_) {
            top_up(); // somebody may be waiting in the backlog
        }
    }
    // [/give_back]

    // Nobody new. The accepts in flight come back as failures.
    void close() noexcept {
        const std::lock_guard lock{lock_};
        iocp::cancel_and_close(listener_);
    }

    bool all_back() noexcept {
        const std::lock_guard lock{lock_};
        return std::ranges::none_of(accepts_, &accept_operation::in_flight);
    }

private:
    // [accept_operation]
    // One AcceptEx with the socket that it is to connect. It lives as long as the acceptor
    // and is submitted again and again.
    struct accept_operation final : operation {
        explicit accept_operation(acceptor& owner) : home{owner} {}
        void complete(result ended) noexcept override { home.completed(*this, ended); }

        acceptor& home;
        iocp::unique_socket socket;
        char addresses[2 * iocp::accept_address_room];
        bool in_flight = false;
    };
    // [/accept_operation]

    // [submit]
    void submit(accept_operation& one) {
        one.socket = iocp::overlapped_socket(family_);
        one.lend();
        DWORD bytes = 0;
        one.in_flight = true; // its packet may be here before the call returns, and waits
        // lent: one, its socket and its addresses -> kernel until the packet is dequeued
        if (!extensions_.AcceptEx(listener_.get(), one.socket.get(), one.addresses, 0,
                                  iocp::accept_address_room, iocp::accept_address_room,
                                  &bytes, &one)) {
            const int code = ::WSAGetLastError();
            if (code != ERROR_IO_PENDING) {
                one.in_flight = false;
                one.take_back();
                // back: one, its socket and its addresses: at once
                iocp::fail(code, "AcceptEx");
            }
        }
    }
    // [/submit]

    // [completed]
    void completed(accept_operation& one, result ended) noexcept {
        iocp::unique_socket accepted = take(one, ended);
        if (ended.error == ERROR_SUCCESS || client_has_left(ended.error)) {
            top_up(); // before anything else: the next client is on its way
        } // after any other failure the clock does it: at once it would fail again
        if (accepted) {
            try {
                on_client_(std::move(accepted), place{this});
            } catch (const std::exception& problem) { // one client less
                std::fprintf(stderr, "%s\n", problem.what());
            }
        }
    }
    // [/completed]

    // [take]
    // The accepted socket, ready for use, and its place is still taken; none if this accept
    // has failed.
    iocp::unique_socket take(accept_operation& one, result ended) noexcept {
        const std::lock_guard lock{lock_};
        one.in_flight = false;
        iocp::unique_socket accepted = std::move(one.socket);
        try {
            if (ended.error == ERROR_SUCCESS && listener_) {
                failing_ = false;
                iocp::update_accept_context(accepted.get(), listener_.get());
                return accepted;
            }
            if (listener_ && !client_has_left(ended.error)) {
                failing_ = true;
                iocp::fail(ended.error, "AcceptEx");
            }
        } catch (const iocp::call_error& problem) {
            report_once(problem.code(), problem.what());
        }
        --taken_;
        return {};
    }

    // A client that connects and resets at once costs an accept, and is worth no line. (59
    // is what Wine says.)
    static bool client_has_left(DWORD error) noexcept {
        return error == ERROR_NETNAME_DELETED || error == ERROR_CONNECTION_ABORTED ||
               error == ERROR_UNEXP_NET_ERR;
    }
    // [/take]

    void report_once(DWORD error, const char* line) noexcept {
        if (std::exchange(last_failure_, error) != error) {
            std::fprintf(stderr, "%s\n", line);
        }
    }

    std::mutex lock_; // of all below, and of every AcceptEx
    iocp::unique_socket listener_;
    const int family_;
    const unsigned most_;
    const iocp::extension_functions extensions_;
    const welcome on_client_;
    std::deque<accept_operation> accepts_; // a deque: its elements never move
    std::atomic<unsigned> taken_{0};       // places: clients, and accepts in flight
    DWORD last_failure_ = 0;               // reported already
    bool failing_ = false; // accepts are submitted and come back as failures
};

inline void give_place_back::operator()(acceptor* of) const noexcept {
    of->give_back();
}
