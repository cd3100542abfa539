// Chapter 17: the full echo server. Everything that the chapters before have shown, and
// what a server needs that is left alone for months. Where to look:
//
//   echo.hpp        the policy: what is done with the bytes
//   connection.hpp  one client: a receive and a send in flight, turns, blocks, its end
//   worker.hpp      rounds: the port, the ready queue, batches (ready_queue.hpp, block.hpp)
//   acceptor.hpp    accepts, and the places that clients have
//   server.hpp      what holds them together: start, ticks, the end (live_list.hpp)
//   operation.hpp   what is in flight, and the count that proves that nothing is

#include "echo.hpp"
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

#include <ws2tcpip.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <thread>

namespace {

// [listen]
iocp::unique_socket open_listener(const iocp::address& where, const settings& how) {
    iocp::unique_socket listener = iocp::overlapped_socket(where.family());
    if (how.dual_stack) {
        if (where.family() != AF_INET6) {
            iocp::fail(WSAEAFNOSUPPORT, "--dual-stack", where.text());
        }
        const DWORD no = 0; // before bind: takes clients of both families
        if (::setsockopt(listener.get(), IPPROTO_IPV6, IPV6_V6ONLY,
                         reinterpret_cast<const char*>(&no), sizeof no) == SOCKET_ERROR) {
            iocp::fail(::WSAGetLastError(), "setsockopt IPV6_V6ONLY");
        }
    }
    iocp::start_listening(listener.get(), where);
    return listener;
}
// [/listen]

} // namespace

// [main]
int main(int argc, char** argv) {
    iocp::server_options options;
    settings how;
    how.workers = std::max(1U, std::thread::hardware_concurrency());
    iocp::command_line{"17_echo_server", "the full multi-worker IOCP echo server"}
        .server(options)
        .number("--workers", how.workers, 1, 64, "threads that take packets from the port")
        .number("--accepts", how.accepts, 1, 1000, "how many accepts wait for clients")
        .flag("--dual-stack", how.dual_stack, "with --host ::, take IPv4 clients, too")
        .number("--max-connections", how.max_connections, 1, 1'000'000,
                "clients at a time; further ones wait")
        .number("--keep-alive", how.keep_alive_s, 0, 86'400,
                "seconds of silence until the system asks a client; 0: never")
        .number("--stats", how.stats_s, 0, 3600,
                "seconds between two lines of statistics; 0: none")
        .number("--idle-timeout", how.idle_s, 0, 86'400,
                "seconds without a byte; 0: no limit")
        .number("--grace", how.grace_s, 0, 60,
                "seconds that clients have to finish after Ctrl+C")
        .number("--batch", how.batch, 1, most_in_batch, "packets that one call may take")
        .flag("--no-skip", how.no_skip, "a packet for what succeeds at once, too")
        .flag("--no-small", how.no_small, "large blocks for silent clients, too")
        .flag("--no-defer", how.no_defer,
              "receive again at once after an echo, also when others wait")
        .flag("--zero-byte", how.zero_byte, "wait for data with a receive of zero bytes")
        .parse(argc, argv);
    try {
        const iocp::winsock winsock;
        const iocp::stop_signal stop;
        const iocp::address where{options.host, options.port};
        server<echo> s{open_listener(where, how), where.family(), how};
        const iocp::worker_pool pool{s.port, how.workers, [&s] { s.work(); }};
        unsigned seconds = 0;
        do {
            s.post_tick();
            if (how.stats_s != 0 && ++seconds % how.stats_s == 0) {
                books.print("now");
            }
        } while (!stop.wait(1000)); // the main thread is the clock
        s.shut_down();
        books.print("served");
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
// [/main]
