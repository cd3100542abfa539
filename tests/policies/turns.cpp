// A third policy for the engine of chapters 13 to 17: an echo that writes down whose turn it was, and whose handler can
// be held while clients send, so that many are ready at the same time.

#include "server.hpp"

#include "common/address.hpp"
#include "common/command_line.hpp"
#include "common/listener.hpp"
#include "common/overlapped_socket.hpp"
#include "common/stop_signal.hpp"
#include "common/winsock.hpp"
#include "common/worker_pool.hpp"

#include <atomic>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

namespace {

constexpr DWORD patience_ms = 60'000;
HANDLE held = nullptr; // a semaphore: so many handlers are held
HANDLE go = nullptr;   // a semaphore: so many may go on

std::atomic<unsigned> connections{0};
constexpr std::size_t most_turns = 100'000;
std::atomic<std::size_t> turns{0};
unsigned short log_of_turns[most_turns];

class writing_echo final : public connection {
public:
    using connection::connection;

private:
    void on_received(block& data) noexcept override {
        if (const std::size_t turn = turns++; turn < most_turns) {
            log_of_turns[turn] = static_cast<unsigned short>(number_);
        }
        if (std::string_view{data.bytes + data.begin, data.end - data.begin} == "hold") {
            ::ReleaseSemaphore(held, 1, nullptr);
            ::WaitForSingleObject(go, patience_ms);
        }
        send(data);
    }
    void on_end() noexcept override { finish(); }

    const unsigned number_ = connections++;
};

HANDLE open(const char* what) {
    const char* const name = std::getenv("IOCP_TURNS");
    return ::OpenSemaphoreA(SEMAPHORE_ALL_ACCESS, FALSE, (std::string{name == nullptr ? "" : name} + what).c_str());
}

template <class Server>
Server make(iocp::unique_socket listener, int family, [[maybe_unused]] unsigned workers) {
#if __has_include("settings.hpp")
    settings how;
    how.workers = workers;
    return {std::move(listener), family, how};
#else
    return {std::move(listener), family, 16U, std::chrono::seconds{0}};
#endif
}

} // namespace

int main(int argc, char** argv) {
    iocp::server_options options;
    unsigned workers = 1;
    iocp::command_line{"turns", "an echo that writes down whose turn it was"}
        .server(options)
        .number("--workers", workers, 1, 64, "threads that take packets from the port")
        .parse(argc, argv);
    try {
        const iocp::winsock winsock;
        const iocp::stop_signal stop;
        held = open("held");
        go = open("go");
        const iocp::address where{options.host, options.port};
        iocp::unique_socket listener = iocp::overlapped_socket(where.family());
        iocp::start_listening(listener.get(), where);
        auto s = make<server<writing_echo>>(std::move(listener), where.family(), workers);
        const iocp::worker_pool pool{s.port, workers, [&s] { s.work(); }};
        do {
            s.post_tick();
        } while (!stop.wait(1000));
        std::printf("turns:");
        for (std::size_t i = 0; i < turns && i < most_turns; ++i) {
            std::printf(" %u", log_of_turns[i]);
        }
        std::printf("\n");
        std::fflush(stdout);
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
