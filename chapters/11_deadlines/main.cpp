// Chapter 11: time on a port. A clock posts ticks, which are packets like the others; the
// worker that takes one looks after the clients and lets the idle ones go (server.hpp,
// live_list.hpp). What has to hold when a socket is closed by somebody who has no packet of
// it is in connection.hpp: the flag is set under the lock that every submit is made under.

#include "echo.hpp"
#include "server.hpp"
#include "worker.hpp"

#include "common/address.hpp"
#include "common/command_line.hpp"
#include "common/listener.hpp"
#include "common/overlapped_socket.hpp"
#include "common/stop_signal.hpp"
#include "common/unique.hpp"
#include "common/winsock.hpp"
#include "common/worker_pool.hpp"

#include <winsock2.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <thread>
#include <utility>

// [main]
int main(int argc, char** argv) {
    iocp::server_options options;
    unsigned workers = std::max(1U, std::thread::hardware_concurrency());
    unsigned accepts = 16;
    unsigned idle_s = 0;
    iocp::command_line{"11_deadlines", "time on a port: idle clients are let go"}
        .server(options)
        .number("--workers", workers, 1, 64, "threads that take packets from the port")
        .number("--accepts", accepts, 1, 1000, "how many accepts wait for clients")
        .number("--idle-timeout", idle_s, 0, 86'400, "seconds without a byte; 0: no limit")
        .parse(argc, argv);
    try {
        const iocp::winsock winsock;
        const iocp::stop_signal stop;
        const iocp::address where{options.host, options.port};
        iocp::unique_socket listener = iocp::overlapped_socket(where.family());
        iocp::start_listening(listener.get(), where);

        server<echo> s{std::move(listener), where.family(), accepts,
                       std::chrono::seconds{idle_s}};
        const iocp::worker_pool pool{s.port, workers, [&s] { work(s.port); }};
        do {
            s.post_tick();
        } while (!stop.wait(1000)); // the main thread is the clock
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
// [/main]
