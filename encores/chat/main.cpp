// Encore: a chat. A line that a client sends goes to all others. The engine is that of
// chapter 17, the same files; of this folder are only
//
//   chat.hpp  the policy: lines, the queue of each client, and how one client sends on the
//             connection of another
//   main.cpp  the start and the end

#include "chat.hpp"
#include "ledger.hpp"
#include "server.hpp"
#include "settings.hpp"

#include "common/address.hpp"
#include "common/command_line.hpp"
#include "common/error.hpp"
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
    unsigned queue = 1 << 20;
    iocp::command_line{"chat", "a line that a client sends goes to all others"}
        .server(options)
        .number("--workers", how.workers, 1, 64, "threads that take packets from the port")
        .number("--queue", queue, 1, 1 << 30,
                "bytes that may wait for a client; past that it is disconnected")
        .number("--max-connections", how.max_connections, 1, 1'000'000,
                "clients at a time; further ones wait")
        .number("--grace", how.grace_s, 0, 60,
                "seconds that clients have to finish after Ctrl+C")
        .flag("--no-skip", how.no_skip, "a packet for what succeeds at once, too")
        .parse(argc, argv);
    try {
        const iocp::winsock winsock;
        const iocp::stop_signal stop;
        hall.most_queued = queue;
        const iocp::address where{options.host, options.port};
        iocp::unique_socket listener = iocp::overlapped_socket(where.family());
        iocp::start_listening(listener.get(), where);
        server<chatter> s{std::move(listener), where.family(), how};
        const iocp::worker_pool pool{s.port, how.workers, [&s] { s.work(); }};
        do {
            s.post_tick();
        } while (!stop.wait(1000));
        s.shut_down();
        std::printf("chat: %llu messages, %u clients too slow\n", hall.said.load(),
                    hall.too_slow.load());
        books.print("served");
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
// [/main]
