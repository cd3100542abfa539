// Chapter 17: the full echo server. Everything that the chapters before have shown, and
// nothing new. Where to look:
//
//   main.cpp      options, start, time, the last line
//   accept.cpp    accepting: how many AcceptEx are in flight, and what a failed one costs
//   receive.cpp   receiving, and waiting without a buffer
//   send.cpp      sending, and the last words of a connection
//   cancel.cpp    asking for the buffer back: idle clients, parking, the end
//   connection.*  what holds these together: the lock, the count, the one question
//   worker.*      packets, batches, and fairness
//   server.*      ports, ticks; shutdown.cpp: ending with nothing in flight

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

#include <winsock2.h>

#include <ws2tcpip.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <thread>
#include <utility>

namespace {

// [options]
iocp::server_options read_options(int argc, char** argv, settings& how) {
    iocp::server_options where;
    how.workers = std::max(1U, std::thread::hardware_concurrency());
    iocp::command_line{"17_echo_server", "the full multi-worker IOCP echo server"}
        .server(where)
        .flag("--dual-stack", how.dual_stack, "with --host ::, take IPv4 clients, too")
        .number("--workers", how.workers, 1, 256,
                "threads that take packets; by default one per processor")
        .number("--accepts", how.accepts, 1, 1000, "accepts that wait for clients")
        .number("--max-connections", how.max_connections, 1, 1'000'000,
                "clients at a time; further ones wait")
        .number("--idle-timeout", how.idle_timeout_s, 0, 86'400,
                "seconds without a byte; 0: no limit")
        .number("--grace", how.grace_s, 0, 60,
                "seconds that busy clients have to finish after Ctrl+C")
        .number("--stats", how.stats_s, 0, 3600,
                "print a line every so many seconds; 0: none")
        .flag("--no-batch", how.no_batch, "one packet a call (GetQueuedCompletionStatus)")
        .flag("--no-skip", how.no_skip,
              "a packet for everything, also for what succeeds at once")
        .flag("--no-parking", how.no_parking, "idle clients keep their buffers")
        .flag("--port-per-worker", how.port_per_worker,
              "deal connections out to a port for each worker")
        .parse(argc, argv);
    return where;
}
// [/options]

void print(const char* when, const ledger& books) {
    std::printf("%s: %lld live, %llu accepted, %llu lost, %llu parked, %llu bytes, %lld in "
                "flight\n",
                when, static_cast<long long>(books.live),
                static_cast<unsigned long long>(books.accepted),
                static_cast<unsigned long long>(books.lost),
                static_cast<unsigned long long>(books.parked),
                static_cast<unsigned long long>(books.bytes),
                static_cast<long long>(books.outstanding));
    std::fflush(stdout);
}

// [listen]
iocp::unique_socket open_listener(const iocp::address& where, const settings& how) {
    iocp::unique_socket listener = iocp::overlapped_socket(where.family());
    if (how.dual_stack && where.family() == AF_INET6) {
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

// [time]
// The main thread waits for Ctrl+C and is the clock: ticks are packets, too.
void keep_time(server& s, const settings& how, const ledger& books,
               const iocp::stop_signal& stop) {
    auto next_line = clock_type::now() + std::chrono::seconds{how.stats_s};
    while (!stop.wait(static_cast<DWORD>(std::chrono::milliseconds{idle_tick}.count()))) {
        s.post_tick();
        if (how.stats_s != 0 && clock_type::now() >= next_line) {
            next_line += std::chrono::seconds{how.stats_s};
            print("now", books);
        }
    }
}
// [/time]

} // namespace

// [main]
int main(int argc, char** argv) {
    settings how;
    const auto options = read_options(argc, argv, how);
    try {
        const iocp::winsock winsock;
        const iocp::stop_signal stop;
        const iocp::address where{options.host, options.port};
        ledger books;
        {
            server s{open_listener(where, how), where.family(), how, books};
            keep_time(s, how, books, stop);
            s.shut_down();
        }
        print("served", books);
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
// [/main]
