// Chapter 14: fair turns. A worker works in rounds (worker.hpp): it takes what is at the
// port, and then everybody who is ready has one turn, one echo. Who wants another one waits
// in the worker's ready queue (ready_queue.hpp) for the next round. What one worker keeps
// for itself is bounded, and what is over goes back to the port.

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
    iocp::command_line{"14_fair_turns", "one echo a turn"}
        .server(options)
        .number("--workers", how.workers, 1, 64, "threads that take packets from the port")
        .number("--accepts", how.accepts, 1, 1000, "how many accepts wait for clients")
        .number("--idle-timeout", how.idle_s, 0, 86'400,
                "seconds without a byte; 0: no limit")
        .number("--grace", how.grace_s, 0, 60,
                "seconds that clients have to finish after Ctrl+C")
        .flag("--no-defer", how.no_defer,
              "receive again at once after an echo, also when others wait")
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
