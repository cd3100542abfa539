// Chapter 13: skip mode. An operation that succeeds at once queues no packet
// (skip_mode.hpp): the thread that submitted it has its result and goes on with it
// (connection.hpp, worker.hpp). That saves a call for most sends and many receives. It also
// lets one busy client keep a worker from all others, which the next chapter mends.

#include "echo.hpp"
#include "server.hpp"

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
    unsigned grace_s = 5;
    iocp::command_line{"13_skip_mode", "no packet for what is done at once"}
        .server(options)
        .number("--workers", workers, 1, 64, "threads that take packets from the port")
        .number("--accepts", accepts, 1, 1000, "how many accepts wait for clients")
        .number("--idle-timeout", idle_s, 0, 86'400, "seconds without a byte; 0: no limit")
        .number("--grace", grace_s, 0, 60,
                "seconds that clients have to finish after Ctrl+C")
        .parse(argc, argv);
    try {
        const iocp::winsock winsock;
        const iocp::stop_signal stop;
        const iocp::address where{options.host, options.port};
        iocp::unique_socket listener = iocp::overlapped_socket(where.family());
        iocp::start_listening(listener.get(), where);

        server<echo> s{std::move(listener), where.family(), accepts,
                       std::chrono::seconds{idle_s}};
        const iocp::worker_pool pool{s.port, workers, [&s] { s.work(); }};
        do {
            s.post_tick();
        } while (!stop.wait(1000)); // the main thread is the clock
        s.shut_down(std::chrono::seconds{grace_s});
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
// [/main]
