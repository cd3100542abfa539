#include "server.hpp"

#include "common/error.hpp"
#include "common/listener.hpp"
#include "common/port.hpp"
#include "common/skip_mode.hpp"

#include <chrono>
#include <cstdio>
#include <exception>
#include <utility>

// [start]
server::server(iocp::unique_socket listener, int family, const settings& how, ledger& books)
    : how_{how}, books_{books} {
    const unsigned ports = how.port_per_worker ? how.workers : 1;
    for (unsigned i = 0; i < ports; ++i) {
        ports_.push_back(iocp::make_port(how.port_per_worker ? 1 : 0));
    }
    for (unsigned i = 0; i < how.workers; ++i) {
        workers_.emplace_back(*this, ports_[i % ports]);
    }
    acceptor_ = std::make_unique<acceptor>(std::move(listener), family, ports_.front(), how,
                                           books_);
    start_workers();
}

void server::start_workers() {
    if (how_.port_per_worker) {
        for (worker& w : workers_) {
            threads_.push_back(
                std::make_unique<iocp::worker_pool>(w.port(), 1, [&w] { w.run(); }));
        }
    } else { // any of them may take the stop packet of another: one pool posts them all
             // first
        threads_.push_back(std::make_unique<iocp::worker_pool>(
            ports_.front(), how_.workers, [this] { workers_[next_worker_++].run(); }));
    }
}
// [/start]

// [accepted]
void server::accepted(const completion& ended, worker& here) {
    try {
        acceptor::arrival newcomer = acceptor_->take(ended);
        acceptor_->top_up(); // before anything else: the next client is on its way
        if (!newcomer.socket) {
            return;
        }
        ++books_.accepted;
        const iocp::unique_handle& port = ports_[next_port_++ % ports_.size()];
        iocp::associate(newcomer.socket.get(), port, client_key);
        iocp::send_without_delay(newcomer.socket.get());
        const bool skip = !how_.no_skip && iocp::turn_on_skip_mode(newcomer.socket.get());
        connection::start(std::make_unique<connection>(std::move(newcomer.socket),
                                                       std::move(newcomer.ticket), live_,
                                                       books_, skip),
                          here);
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n",
                     problem.what()); // one client less; the listener goes on
    }
}
// [/accepted]

// [tick]
// The main thread keeps the time, the workers do the work. One tick at a time: a slow
// server gets no heap of them.
void server::post_tick() {
    if (tick_posted_.exchange(true)) {
        return;
    }
    ++books_.outstanding;
    if (!::PostQueuedCompletionStatus(ports_.front().get(), 0, tick_key, nullptr)) {
        --books_.outstanding;
        tick_posted_ = false;
        iocp::report(::GetLastError(), "PostQueuedCompletionStatus");
    }
}

void server::tick() {
    --books_.outstanding;
    tick_posted_ = false;
    glance with{};
    with.now = clock_type::now();
    with.idle_limit = std::chrono::seconds{how_.idle_timeout_s};
    with.parking = !how_.no_parking;
    with.stopping = stopping_;
    with.stopped_at = with.stopping ? stopped_at_ : clock_type::time_point{};
    with.out_of_time = out_of_time_;
    live_.for_each([&](connection& c) { c.look(with); });
    acceptor_->top_up();
}
// [/tick]
