// Chapter 16: idle memory. A connection owns a small block, and that is what waits while
// its client is silent. For a client that sends much it borrows large ones, from a free
// list of its worker (block.hpp, connection.hpp).

#include "echo.hpp"
#include "server.hpp"
#include "settings.hpp"

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
    settings how;
    how.workers = std::max(1U, std::thread::hardware_concurrency());
    iocp::command_line{"16_idle_memory", "a silent client costs next to nothing"}
        .server(options)
        .number("--workers", how.workers, 1, 64, "threads that take packets from the port")
        .number("--accepts", how.accepts, 1, 1000, "how many accepts wait for clients")
        .number("--idle-timeout", how.idle_s, 0, 86'400,
                "seconds without a byte; 0: no limit")
        .number("--grace", how.grace_s, 0, 60,
                "seconds that clients have to finish after Ctrl+C")
        .number("--batch", how.batch, 1, most_in_batch, "packets that one call may take")
        .flag("--no-defer", how.no_defer,
              "receive again at once after an echo, also when others wait")
        .flag("--zero-byte", how.zero_byte, "wait for data with a receive of zero bytes")
        .parse(argc, argv);
    try {
        const iocp::winsock winsock;
        const iocp::stop_signal stop;
        const iocp::address where{options.host, options.port};
        iocp::unique_socket listener = iocp::overlapped_socket(where.family());
        iocp::start_listening(listener.get(), where);

        server<echo> s{std::move(listener), where.family(), how};
        const iocp::worker_pool pool{s.port, how.workers, [&s] { s.work(); }};
        do {
            s.post_tick();
        } while (!stop.wait(1000)); // the main thread is the clock
        s.shut_down();
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
// [/main]
