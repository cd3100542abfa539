// A policy for the engine of chapter 17 in which the worker of one client sends on the connection of another one, as in
// a chat, and can be made to wait in the middle of that. A client says:
//
//   mark    this is the other one
//   hold    hold the other one, wait until somebody says go, send to it, let it go
//   try     is the other one to be held?
//   count   how many connections there are, and how many operations are in flight

#include "server.hpp"

#include "common/address.hpp"
#include "common/command_line.hpp"
#include "common/event.hpp"
#include "common/listener.hpp"
#include "common/overlapped_socket.hpp"
#include "common/stop_signal.hpp"
#include "common/winsock.hpp"
#include "common/worker_pool.hpp"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

namespace {

constexpr DWORD long_ms = 60'000;
WSAEVENT go = nullptr;
std::atomic<int> connections{0};

class neighbour;
std::atomic<neighbour*> marked{nullptr};

// What a client is sent by another one's worker.
struct word final : block {
    word() : block{const_cast<char*>("from a neighbour"), 16} { end = size; }
};

class neighbour final : public connection {
public:
    neighbour(iocp::unique_socket accepted, place taken, live_list<connection>& all, const iocp::unique_handle& port,
              bool skip, const settings& how)
        : connection{std::move(accepted), std::move(taken), all, port, skip, how} {
        ++connections;
    }
    ~neighbour() override { --connections; }
    neighbour(const neighbour&) = delete;
    neighbour& operator=(const neighbour&) = delete;

private:
    void on_received(block& data) noexcept override {
        const std::string_view said{data.bytes + data.begin, data.end - data.begin};
        if (said == "mark") {
            marked = this;
            answer(data, "marked");
        } else if (said == "hold") {
            answer(data, send_to(*marked.load()) ? "sent" : "refused");
        } else if (said == "try") {
            const bool holds = marked.load()->hold();
            if (holds) {
                marked.load()->let_go();
            }
            answer(data, holds ? "held" : "refused");
        } else if (said == "go") {
            ::WSASetEvent(go);
            answer(data, "gone on");
        } else if (said == "count") {
            char text[64];
            std::snprintf(text, sizeof text, "%d connections and %lld in flight", connections.load(),
                          static_cast<long long>(operation::in_flight()));
            answer(data, text);
        }
    }
    void on_end() noexcept override { finish(); }

    static bool send_to(neighbour& other) {
        if (!other.hold()) {
            return false;
        }
        std::printf("holding\n");
        std::fflush(stdout);
        ::WSAWaitForMultipleEvents(1, &go, TRUE, long_ms, FALSE);
        static word greeting;
        greeting.give_back = [](block&) noexcept {};
        other.send(greeting);
        other.let_go();
        return true;
    }

    void answer(block& data, std::string_view text) {
        data.begin = 0;
        data.end = static_cast<ULONG>(std::min<std::size_t>(text.size(), data.size));
        std::memcpy(data.bytes, text.data(), data.end);
        send(data);
    }
};

} // namespace

int main(int argc, char** argv) {
    iocp::server_options options;
    settings how;
    how.workers = 2; // one that waits, and one for everything else
    how.accepts = 4;
    iocp::command_line{"holding", "one client's worker holds the connection of another one"}.server(options).parse(
        argc, argv);
    try {
        const iocp::winsock winsock;
        const iocp::stop_signal stop;
        const iocp::unique_event event = iocp::make_event();
        go = event.get();
        const iocp::address where{options.host, options.port};
        iocp::unique_socket listener = iocp::overlapped_socket(where.family());
        iocp::start_listening(listener.get(), where);
        server<neighbour> s{std::move(listener), where.family(), how};
        const iocp::worker_pool pool{s.port, how.workers, [&s] { s.work(); }};
        s.clients.top_up(); // and no ticks: they would be counted as in flight
        while (!stop.wait(long_ms)) {
        }
        s.shut_down();
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
