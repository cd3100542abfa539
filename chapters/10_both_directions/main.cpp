// Chapter 10: a receive and a send in flight at once. Two workers may meet in one
// connection now: it has a lock, counts what is in flight, and the last operation that
// comes back destroys it (connection.hpp; read that first). What is done with the bytes is
// a policy (echo.hpp).

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
#include <cstdio>
#include <exception>
#include <thread>
#include <utility>

// [main]
int main(int argc, char** argv) {
    iocp::server_options options;
    unsigned workers = std::max(1U, std::thread::hardware_concurrency());
    unsigned accepts = 16;
    iocp::command_line{"10_both_directions", "a receive and a send in flight at once"}
        .server(options)
        .number("--workers", workers, 1, 64, "threads that take packets from the port")
        .number("--accepts", accepts, 1, 1000, "how many accepts wait for clients")
        .parse(argc, argv);
    try {
        const iocp::winsock winsock;
        const iocp::stop_signal stop;
        const iocp::address where{options.host, options.port};
        iocp::unique_socket listener = iocp::overlapped_socket(where.family());
        iocp::start_listening(listener.get(), where);

        server<echo> s{std::move(listener), where.family(), accepts};
        const iocp::worker_pool pool{s.port, workers, [&s] { work(s.port); }};
        do {
            s.clients.top_up();
        } while (!stop.wait(1000)); // the main thread is the clock
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
// [/main]
