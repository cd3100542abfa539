#pragma once
// The engine, server.hpp: the port, the acceptor, the connections, and the end of them all.

#include "acceptor.hpp"
#include "connection.hpp"
#include "ledger.hpp"
#include "live_list.hpp"
#include "operation.hpp"
#include "settings.hpp"
#include "worker.hpp"

#include "common/error.hpp"
#include "common/listener.hpp"
#include "common/port.hpp"
#include "common/skip_mode.hpp"
#include "common/unique.hpp"

#include <winsock2.h>

#include <mstcpip.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>

// [server]
// Policy: a class that derives from connection and says what is done with the bytes.
template <class Policy>
struct server {
    server(iocp::unique_socket listener, int family, const settings& wanted)
        : how{wanted}, clients{std::move(listener), family, port, how,
                               [this](iocp::unique_socket accepted, place held) {
                                   start(std::move(accepted), std::move(held));
                               }} {}

    void start(iocp::unique_socket accepted, place held) {
        ++books.accepted;
        iocp::associate(accepted.get(), port);
        iocp::send_without_delay(accepted.get());
        if (how.keep_alive_s != 0) {
            keep_alive(accepted.get());
        }
        const bool skip = !how.no_skip && iocp::turn_on_skip_mode(accepted.get());
        connection::start(std::make_unique<Policy>(std::move(accepted), std::move(held),
                                                   live, port, skip, how));
    }

    // [keep_alive]
    // Whoever has lost power or the network says nothing, for ever. The system asks such a
    // client after some silence, ten times; without an answer the receive fails.
    void keep_alive(SOCKET socket) const noexcept {
        tcp_keepalive wanted{1, how.keep_alive_s * 1000, 1000};
        DWORD bytes = 0;
        if (::WSAIoctl(socket, SIO_KEEPALIVE_VALS, &wanted, sizeof wanted, nullptr, 0,
                       &bytes, nullptr, nullptr) == SOCKET_ERROR) {
            iocp::report(::WSAGetLastError(), "WSAIoctl SIO_KEEPALIVE_VALS");
        }
    }
    // [/keep_alive]

    // For each thread of the pool.
    void work() noexcept { worker{port, how, live.size()}.run(); }

    // [tick]
    // A tick is a packet of our own, with an operation that knows what is to be done. One
    // at a time: a server that is behind gets no more of them.
    struct tick_operation final : operation {
        explicit tick_operation(server& s) : home{s} {}
        void complete(result) noexcept override {
            home.on_tick();
            posted = false;
        }
        server& home;
        std::atomic<bool> posted{false};
    };

    void post_tick() noexcept {
        if (tick.posted.exchange(true)) {
            return;
        }
        tick.lend();
        // lent: tick -> the port until its packet is dequeued
        if (!::PostQueuedCompletionStatus(port.get(), 0, 0, &tick)) {
            tick.take_back();
            // back: tick: at once
            iocp::report(::GetLastError(), "PostQueuedCompletionStatus");
            tick.posted = false;
        }
    }

    void on_tick() noexcept {
        clients.top_up();
        deadlines with{clock_type::now(), std::chrono::seconds{how.idle_s}};
        if (stopping) {
            with.stopping = true;
            with.stopped_at = stopped_at;
            with.out_of_time = with.now - stopped_at >= std::chrono::seconds{how.grace_s};
        }
        live.sweep([&](connection& c) { resets += c.look_after(with) ? 1 : 0; });
    }
    // [/tick]

    // [shut_down]
    // While the workers go on: first nobody new, then everybody finishes, then, at the
    // deadline, the rest is reset.
    void shut_down() {
        clients.close();
        stopped_at = clock_type::now();
        stopping = true;
        do {
            post_tick();
        } while (!live.wait_until_empty(std::chrono::milliseconds{50}));
    }
    // [/shut_down]

    // [end]
    // The workers have ended. Closing the sockets ends what is in flight, and it comes back
    // through the port.
    ~server() {
        clients.close();
        live.sweep([](connection& c) { c.close(); });
        while (!clients.all_back() || live.size() > 0 || tick.posted) {
            constexpr DWORD patience_ms = 10'000; // no driver promises to end an operation
            const iocp::packet packet = iocp::dequeue(port, patience_ms);
            if (packet.overlapped == nullptr) {
                iocp::report(packet.ended.error, "GetQueuedCompletionStatus");
                std::abort(); // what is lent cannot come back, and is not freed
            }
            complete(packet);
        }
        std::printf("end: %u reset, %lld in flight\n", resets.load(),
                    static_cast<long long>(operation::in_flight()));
        if (operation::in_flight() != 0) {
            std::fflush(stdout);
            std::abort(); // to free what is lent would be worse
        }
    }
    // [/end]

    const iocp::unique_handle port = iocp::make_port(0);
    const settings how;
    clock_type::time_point stopped_at{}; // written before `stopping`
    std::atomic<bool> stopping{false};
    std::atomic<unsigned> resets{0}; // at the deadline
    live_list<connection> live;
    tick_operation tick{*this};
    acceptor clients;
};
// [/server]
