// Encore client: many outgoing connections on one completion port, and one thread that
// takes all packets. It loads an echo server and says what it has measured. Each connection
// is an object whose operations know what to do when they are back (outgoing.hpp).

#include "names.hpp"
#include "outgoing.hpp"
#include "tally.hpp"

#include "chapters/12_orderly_end/worker.hpp"

#include "common/command_line.hpp"
#include "common/error.hpp"
#include "common/overlapped_socket.hpp"
#include "common/port.hpp"
#include "common/stop_signal.hpp"
#include "common/winsock.hpp"

#include <winsock2.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <exception>
#include <string>
#include <vector>

namespace {

// [report]
void report(const tally& seen, std::chrono::duration<double> time) {
    std::printf("connections: %u, %u of them on a used socket; %u sockets replaced\n",
                seen.connected, seen.reused, seen.replaced);
    std::printf("echoes: %llu, %.0f a second\n",
                static_cast<unsigned long long>(seen.echoes),
                time.count() > 0 ? static_cast<double>(seen.echoes) / time.count() : 0.0);
    std::printf("latency: median %.2f ms, p99 %.2f ms\n", seen.took.within(0.5),
                seen.took.within(0.99));
    std::printf("failures: %u retries, %u given up, %u ended early, %u with a wrong byte\n",
                seen.retries, seen.given_up, seen.ended_early, seen.wrong);
    for (const tally::failure& each : seen.failures) {
        if (each.count > 0) {
            std::printf("failure %lu: %u times, %s\n", each.code, each.count,
                        iocp::error_text(each.code).c_str());
        }
    }
}
// [/report]

// [run]
// Takes packets, and looks after every connection each 10 ms, until all are over. No
// exception leaves it, for that would free what is lent.
void run(plan& common, std::deque<outgoing>& all, std::chrono::seconds limit,
         WSAEVENT stop) noexcept {
    constexpr std::chrono::milliseconds tick{10};
    const auto end = clock_type::now() + limit;
    auto next_look = clock_type::now();
    for (bool over = false; !over;) {
        const iocp::packet packet =
            iocp::dequeue(common.port, static_cast<DWORD>(tick.count()));
        if (packet.overlapped != nullptr) {
            complete(packet);
        } else if (packet.ended.error != WAIT_TIMEOUT) {
            iocp::report(packet.ended.error, "GetQueuedCompletionStatus");
            std::abort(); // what is lent cannot come back, and is not freed
        }
        const auto now = clock_type::now();
        if (now >= next_look) {
            next_look = now + tick;
            common.stopping = common.stopping || now >= end ||
                              ::WaitForSingleObject(stop, 0) != WAIT_TIMEOUT;
            for (outgoing& each : all) {
                each.look_after(now);
            }
            over = std::ranges::all_of(all, &outgoing::over);
        }
    }
}
// [/run]

} // namespace

// [main]
int main(int argc, char** argv) {
    std::string host = "127.0.0.1";
    unsigned port = 6000;
    unsigned local_port = 0;
    unsigned count = 100;
    unsigned size = 64;
    unsigned seconds = 5;
    unsigned echoes = 0;
    unsigned patience = 5;
    bool reuse = false;
    iocp::command_line{"client", "many outgoing connections on one completion port"}
        .text("--host", host, "the name or the address of the echo server")
        .number("--port", port, 1, 65'535, "its port")
        .number("--local-port", local_port, 0, 65'535, "what to bind to; 0 is any free one")
        .number("--count", count, 1, 10'000, "connections at a time")
        .number("--size", size, 1, 1 << 20, "bytes of an echo")
        .number("--seconds", seconds, 1, 86'400, "how long to ask for echoes")
        .number("--echoes", echoes, 0, 1'000'000, "then a connection leaves; 0: it stays")
        .number("--patience", patience, 1, 3'600,
                "seconds to wait for a server that is not there, or silent")
        .flag("--reuse", reuse, "connect a socket again that has left (DisconnectEx)")
        .parse(argc, argv);
    try {
        const iocp::winsock winsock;
        const iocp::stop_signal stop;
        const std::vector<iocp::address> places = reachable(resolve(host, port), host);
        const iocp::unique_socket any = iocp::overlapped_socket(places.front().family());
        plan common{places,
                    places.front().text(),
                    client_functions{any.get()},
                    iocp::make_port(1),
                    static_cast<std::uint16_t>(local_port),
                    size,
                    echoes,
                    reuse,
                    std::chrono::seconds{patience}};
        std::printf("%u connections to %s, echoes of %u bytes\n", count,
                    common.name.c_str(), size);
        std::fflush(stdout);
        std::deque<outgoing> all; // a deque: its elements never move
        for (unsigned i = 0; i < count; ++i) {
            all.emplace_back(common, i);
        }
        run(common, all, std::chrono::seconds{seconds}, stop.event());
        const auto first = common.seen.first_connected;
        report(common.seen, common.seen.connected > 0 ? clock_type::now() - first
                                                      : clock_type::duration{});
        return common.seen.wrong == 0 && common.seen.connected > 0 ? 0 : 1;
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
// [/main]
