// A third policy for the engine of chapters 13 to 17: an echo that writes down whose turn it was, and whose handler can
// be held while clients send, so that many are ready at the same time:
//
//   hold      until the test says go
//   stay      until the test says leave
//   until N   until N packets wait at the port
//
// and one client can have another one reset: mark, reset.

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
HANDLE leave = nullptr;
HANDLE port = nullptr;

// Windows has no documented call that tells this.
void wait_for_packets(long count) {
    const auto query = reinterpret_cast<LONG(NTAPI*)(HANDLE, int, void*, ULONG, ULONG*)>(
        reinterpret_cast<void*>(::GetProcAddress(::GetModuleHandleW(L"ntdll.dll"), "NtQueryIoCompletion")));
    LONG depth = 0;
    for (DWORD waited = 0; waited < patience_ms; ++waited) {
        if (query(port, 0, &depth, sizeof depth, nullptr) != 0 || depth >= count) {
            return;
        }
        ::Sleep(1);
    }
}

std::atomic<unsigned> connections{0};
constexpr std::size_t most_turns = 100'000;
std::atomic<std::size_t> turns{0};
unsigned short log_of_turns[most_turns];

class writing_echo;
std::atomic<writing_echo*> marked{nullptr}; // by its client, which lets another one reset it

class writing_echo final : public connection {
public:
    using connection::connection;

private:
    void on_received(block& data) noexcept override {
        if (const std::size_t turn = turns++; turn < most_turns) {
            log_of_turns[turn] = static_cast<unsigned short>(number_);
        }
        const std::string_view word{data.bytes + data.begin, data.end - data.begin};
        if (word == "hold" || word == "stay") {
            ::ReleaseSemaphore(held, 1, nullptr);
            ::WaitForSingleObject(word == "hold" ? go : leave, patience_ms);
        } else if (word.starts_with("until ")) {
            ::ReleaseSemaphore(held, 1, nullptr);
            wait_for_packets(std::stol(std::string{word.substr(6)}));
        } else if (word == "mark") {
            marked = this;
        } else if (word == "reset") {
            marked.load()->abort();
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

// What the chapter can do without its tricks.
template <class Settings>
void take_tricks_away(Settings& how) {
    if constexpr (requires { how.batch; }) {
        how.batch = 1;
    }
    if constexpr (requires { how.no_defer; }) {
        how.no_defer = true;
    }
    if constexpr (requires { how.no_skip; }) {
        how.no_skip = true;
    }
}

template <class Server>
Server make(iocp::unique_socket listener, int family, [[maybe_unused]] unsigned workers,
            [[maybe_unused]] bool without_tricks) {
#if __has_include("settings.hpp")
    settings how;
    how.workers = workers;
    if (without_tricks) {
        take_tricks_away(how);
    }
    return {std::move(listener), family, how};
#else
    return {std::move(listener), family, 16U, std::chrono::seconds{0}};
#endif
}

} // namespace

int main(int argc, char** argv) {
    iocp::server_options options;
    unsigned workers = 1;
    bool without_tricks = false;
    iocp::command_line{"turns", "an echo that writes down whose turn it was"}
        .server(options)
        .number("--workers", workers, 1, 64, "threads that take packets from the port")
        .flag("--without-tricks", without_tricks, "the switches --batch 1, --no-skip and --no-defer, if there are any")
        .parse(argc, argv);
    try {
        const iocp::winsock winsock;
        const iocp::stop_signal stop;
        held = open("held");
        go = open("go");
        leave = open("leave");
        const iocp::address where{options.host, options.port};
        iocp::unique_socket listener = iocp::overlapped_socket(where.family());
        iocp::start_listening(listener.get(), where);
        auto s = make<server<writing_echo>>(std::move(listener), where.family(), workers, without_tricks);
        port = s.port.get();
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
