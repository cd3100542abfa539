// A second policy for the engine of chapters 10 to 17: it answers in capitals, says goodbye by itself, and can be made
// to keep its worker. It is compiled with the files of a chapter as they are.

#include "server.hpp"
#include "worker.hpp"

#include "common/address.hpp"
#include "common/command_line.hpp"
#include "common/event.hpp"
#include "common/listener.hpp"
#include "common/overlapped_socket.hpp"
#include "common/stop_signal.hpp"
#include "common/winsock.hpp"
#include "common/worker_pool.hpp"

#include <cctype>
#include <chrono>
#include <cstdio>
#include <exception>
#include <string_view>
#include <utility>

namespace {

WSAEVENT go = nullptr; // one client sets it, and another one's handler waits for it

class shout final : public connection {
public:
    using connection::connection;

private:
    void on_received(block& data) noexcept override {
        const std::string_view word{data.bytes + data.begin, data.end - data.begin};
        if (word == "drop") {
            return; // no answer: the block goes back to the connection
        }
        if (word == "nothing") {
            data.end = data.begin;
        }
        if (word == "wait") {
            std::printf("waiting\n");
            std::fflush(stdout);
            constexpr DWORD long_ms = 60'000;
            ::WSAWaitForMultipleEvents(1, &go, TRUE, long_ms, FALSE);
        } else if (word == "go") {
            ::WSASetEvent(go);
        }
        const bool last = word == "bye";
        for (ULONG i = data.begin; i < data.end; ++i) {
            data.bytes[i] = static_cast<char>(std::toupper(static_cast<unsigned char>(data.bytes[i])));
        }
        send(data);
        if (last) {
            finish();
        }
    }
    void on_end() noexcept override {
        std::printf("told of an end\n");
        std::fflush(stdout);
        finish();
    }
};

using shouting = server<shout>;
template <class Server>
concept has_deadlines = requires(Server& s) {
    s.post_tick();
};

template <class Server>
void serve(Server& s, unsigned workers, const iocp::stop_signal& stop) {
    const iocp::worker_pool pool{s.port, workers, [&s] {
                                     if constexpr (requires { s.work(); }) {
                                         s.work();
                                     } else {
                                         work(s.port);
                                     }
                                 }};
    do {
        if constexpr (has_deadlines<Server>) {
            s.post_tick(); // as often as a server does that ends: so a sweep is always near
        } else {
            s.clients.top_up();
        }
    } while (!stop.wait(50));
}

// The chapters differ in what they let one decide.
template <class Server>
Server make(iocp::unique_socket listener, int family, [[maybe_unused]] unsigned workers) {
#if __has_include("settings.hpp")
    settings how;
    how.workers = workers;
    return {std::move(listener), family, how};
#else
    if constexpr (has_deadlines<Server>) {
        return {std::move(listener), family, 16U, std::chrono::hours{1}};
    } else {
        return {std::move(listener), family, 16U};
    }
#endif
}

} // namespace

int main(int argc, char** argv) {
    iocp::server_options options;
    unsigned workers = 4;
    iocp::command_line{"shout", "another policy on the same engine"}
        .server(options)
        .number("--workers", workers, 1, 64, "threads that take packets from the port")
        .parse(argc, argv);
    try {
        const iocp::winsock winsock;
        const iocp::stop_signal stop;
        const iocp::unique_event event = iocp::make_event();
        go = event.get();
        const iocp::address where{options.host, options.port};
        iocp::unique_socket listener = iocp::overlapped_socket(where.family());
        iocp::start_listening(listener.get(), where);
        shouting s = make<shouting>(std::move(listener), where.family(), workers);
        serve(s, workers, stop);
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
