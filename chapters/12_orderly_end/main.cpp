// Chapter 12: an orderly end. After Ctrl+C nobody new comes in, everybody gets the rest of
// the echo, and the last word is SD_SEND, said while the receive is still pending; what
// does not end by itself is reset at a deadline (connection.hpp, server.hpp). All that is
// lent is counted, so that the end can be proved (operation.hpp).

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
    unsigned grace_s = 5;
    iocp::command_line{"12_orderly_end", "ending with nothing in flight and nothing lost"}
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
        const iocp::worker_pool pool{s.port, workers, [&s] { work(s.port); }};
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
