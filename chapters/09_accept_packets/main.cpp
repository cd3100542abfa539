// Chapter 09: accepts are packets too. Several kinds of operation are on one port now, so
// an operation says itself what is to be done when it is back (operation.hpp), and a worker
// need not know (worker.hpp). The accepts are in acceptor.hpp; read that first.

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
    iocp::command_line{"09_accept_packets", "accepts are packets too"}
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

        server s{std::move(listener), where.family(), accepts};
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
