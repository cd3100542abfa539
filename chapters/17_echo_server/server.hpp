#pragma once
// Chapter 17, server: the ports, the acceptor, the connections, and the end of it all
// (shutdown.cpp).

#include "accept.hpp"
#include "connection.hpp"
#include "ledger.hpp"
#include "settings.hpp"
#include "worker.hpp"

#include "common/live_set.hpp"
#include "common/unique.hpp"
#include "common/worker_pool.hpp"

#include <atomic>
#include <cstddef>
#include <deque>
#include <memory>
#include <vector>

class server {
public:
    server(iocp::unique_socket listener, int family, const settings& how, ledger& books);
    ~server(); // shutdown.cpp: nothing is lent any more, or it is not destroyed
    server(const server&) = delete;
    server& operator=(const server&) = delete;

    const settings& how() const { return how_; }
    std::size_t live() const { return live_.size(); }

    void accepted(const completion& ended, worker& here);

    void post_tick(); // from the main thread
    void tick();      // on a worker

    void shut_down(); // shutdown.cpp

private:
    void start_workers();
    void drain();

    const settings& how_;
    ledger& books_;
    std::deque<iocp::unique_handle> ports_; // one; with --port-per-worker one for each
    std::deque<worker> workers_;
    iocp::live_set<connection> live_;
    std::unique_ptr<acceptor> acceptor_;
    std::atomic<std::size_t> next_port_{0};
    std::atomic<std::size_t> next_worker_{0};
    std::atomic<bool> tick_posted_{false};
    std::atomic<bool> stopping_{false};
    std::atomic<bool> out_of_time_{false};
    clock_type::time_point stopped_at_{}; // written before stopping_
    std::vector<std::unique_ptr<iocp::worker_pool>>
        threads_; // last: they use all of the above
};
