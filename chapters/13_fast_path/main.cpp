// Chapter 13: fewer trips to the kernel, by three switches. --batch takes many packets with
// one call; --skip goes on at once when an operation has succeeded at once; --zero-byte
// waits for data without holding a buffer. Each is off unless asked for. The second and the
// third are in connection.hpp.

#include "connection.hpp"

#include "common/accept_pool.hpp"
#include "common/address.hpp"
#include "common/command_line.hpp"
#include "common/error.hpp"
#include "common/listener.hpp"
#include "common/live_set.hpp"
#include "common/operation.hpp"
#include "common/overlapped_socket.hpp"
#include "common/port.hpp"
#include "common/stop_signal.hpp"
#include "common/unique.hpp"
#include "common/winsock.hpp"
#include "common/worker_pool.hpp"

#include <winsock2.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

using namespace std::chrono_literals;

namespace {

constexpr auto tick = 50ms; // how often the main thread looks at the connections

// [skip_mode]
// Skip mode is only right where every provider hands out handles of the file system. A
// layered provider may not, and would lose completions or tell of them twice.
bool turn_on_skip_mode(SOCKET socket) {
    WSAPROTOCOL_INFOW about{};
    int length = sizeof about;
    if (::getsockopt(socket, SOL_SOCKET, SO_PROTOCOL_INFOW, reinterpret_cast<char*>(&about),
                     &length) == SOCKET_ERROR) {
        iocp::report(::WSAGetLastError(), "getsockopt SO_PROTOCOL_INFOW");
        return false;
    }
    if ((about.dwServiceFlags1 & XP1_IFS_HANDLES) == 0) {
        return false;
    }
    if (!::SetFileCompletionNotificationModes(reinterpret_cast<HANDLE>(socket),
                                              FILE_SKIP_COMPLETION_PORT_ON_SUCCESS |
                                                  FILE_SKIP_SET_EVENT_ON_HANDLE)) {
        iocp::report(::GetLastError(), "SetFileCompletionNotificationModes");
        return false;
    }
    return true;
}
// [/skip_mode]

class server {
public:
    server(iocp::unique_socket listener, int family, unsigned accepts,
           connection_settings settings)
        : settings_{settings}, accepts_{std::move(listener), family, port_, listener_key,
                                        accepts} {
        settings_.port = &port_;
    }

    const iocp::unique_handle& port() const { return port_; }

    void let_idle_go(clock_type::duration limit) {
        const auto now = clock_type::now();
        live_.for_each([&](connection& c) { c.let_go_if_idle(now, limit); });
    }

    // [shut_down]
    // While the workers go on: first nobody new, then everybody finishes, then, at the
    // deadline, the rest is cut off.
    void shut_down(clock_type::duration grace) {
        const auto stopped_at = clock_type::now();
        stopping_ = true;
        accepts_
            .stop_arming(); // no accept is submitted after this, so the cancel misses none
        if (!::CancelIoEx(reinterpret_cast<HANDLE>(accepts_.listener()),
                          nullptr)) { // all that is pending on it
            const DWORD code = ::GetLastError();
            if (code != ERROR_NOT_FOUND) {
                iocp::report(code, "CancelIoEx");
            }
        }
        while (!live_.wait_until_empty(tick) && clock_type::now() - stopped_at < grace) {
            const auto now = clock_type::now();
            live_.for_each([&](connection& c) { c.finish_if_quiet(now, stopped_at); });
        }
        live_.for_each([](connection& c) { c.close_now(); });
        live_.wait_until_empty(1s);
    }
    // [/shut_down]

    void work() {
        for (;;) {
            constexpr DWORD retry_ms = 1000;
            const iocp::packet packet = iocp::dequeue(port_, retry_ms);
            if (packet.overlapped != nullptr) {
                dispatch(static_cast<iocp::typed_operation*>(packet.overlapped), packet);
            } else if (packet.ended.error == ERROR_SUCCESS) {
                return; // the packet that stops a worker
            } else if (packet.ended.error != WAIT_TIMEOUT) {
                iocp::report(packet.ended.error, "GetQueuedCompletionStatus");
                return;
            }
            accepts_.top_up();
        }
    }

    // [batch]
    // [take_batch]
    // Several packets with one call. How many? No more than this worker's share of the
    // work, or it would hold packets that another worker is waiting for.
    void work_in_batches(unsigned workers) {
        constexpr std::size_t most = 64;
        OVERLAPPED_ENTRY entries[most];
        for (bool told_to_stop = false; !told_to_stop;) {
            const auto share = static_cast<ULONG>(
                std::clamp<std::size_t>(live_.size() / workers, 1, most));
            constexpr DWORD retry_ms = 1000;
            ULONG count = 0;
            if (!::GetQueuedCompletionStatusEx(port_.get(), entries, share, &count,
                                               retry_ms, FALSE)) {
                const DWORD code = ::GetLastError(); // of the wait: whether operations have
                                                     // failed is not said here
                if (code != WAIT_TIMEOUT) {
                    iocp::report(code, "GetQueuedCompletionStatusEx");
                    return;
                }
                count = 0; // after FALSE it is not to be relied on
            }
            for (ULONG i = 0; i < count; ++i) {
                if (entries[i].lpOverlapped != nullptr) {
                    dispatch_entry(entries[i]);
                } else if (!told_to_stop) {
                    told_to_stop = true; // after the rest of the batch
                } else {
                    pass_on_stop(); // the batch holds the packet of another worker, too
                }
            }
            accepts_.top_up();
        }
    }
    // [/take_batch]

    // [entry]
    void dispatch_entry(const OVERLAPPED_ENTRY& entry) {
        auto* const operation = static_cast<iocp::typed_operation*>(entry.lpOverlapped);
        if (operation->what != kind::accept) {
            connection::completed_in_batch(*static_cast<connection_operation*>(operation),
                                           entry.dwNumberOfBytesTransferred);
            return;
        }
        DWORD bytes = 0;
        DWORD flags = 0;
        const BOOL good =
            ::WSAGetOverlappedResult(accepts_.listener(), operation, &bytes, FALSE, &flags);
        const int code = good ? 0 : ::WSAGetLastError();
        accepted(static_cast<iocp::accept_operation*>(operation), static_cast<DWORD>(code));
    }
    // [/entry]

    // [pass_on]
    void pass_on_stop() {
        while (!::PostQueuedCompletionStatus(port_.get(), 0, 0, nullptr)) {
            iocp::report(::GetLastError(), "PostQueuedCompletionStatus");
            ::Sleep(
                100); // short of memory for a packet; without it a worker would never end
        }
    }
    // [/pass_on]
    // [/batch]

    // [drain]
    // The workers have ended. Before the memory goes, everything that is lent must be back.
    ~server() {
        accepts_.close();
        live_.for_each([](connection& c) { c.close_now(); });
        while (accepts_.armed() > 0 || live_.size() > 0) {
            const iocp::packet packet = iocp::dequeue(port_, INFINITE);
            if (packet.overlapped == nullptr) {
                iocp::report(packet.ended.error, "GetQueuedCompletionStatus");
                return; // without the port nothing can come back: what is lent stays lent
            }
            dispatch(static_cast<iocp::typed_operation*>(packet.overlapped), packet);
        }
        std::printf("in flight: %zu\n", accepts_.armed() + live_.size());
    }
    // [/drain]

private:
    void dispatch(iocp::typed_operation* operation, const iocp::packet& packet) {
        switch (operation->what) {
        case kind::accept:
            accepted(static_cast<iocp::accept_operation*>(operation), packet.ended.error);
            break;
        case kind::receive:
        case kind::send:
            connection::completed(*static_cast<connection_operation*>(operation),
                                  packet.ended.bytes, packet.ended.error);
            break;
        }
    }

    // [accepted]
    void accepted(iocp::accept_operation* lent, DWORD code) {
        try {
            iocp::unique_socket socket =
                accepts_.take(lent, stopping_ ? ERROR_OPERATION_ABORTED : code);
            if (stopping_) {
                return; // cancelled, or a client that came too late: its socket is closed
                        // here
            }
            if (!socket) {
                iocp::report(code, "AcceptEx");
                return;
            }
            iocp::associate(socket.get(), port_, client_key);
            iocp::send_without_delay(socket.get());
            const bool skip = settings_.skip && turn_on_skip_mode(socket.get());
            connection::start(
                std::make_unique<connection>(std::move(socket), live_, settings_, skip));
        } catch (const std::exception& problem) {
            std::fprintf(stderr, "%s\n",
                         problem.what()); // one client less; the listener goes on
        }
    }
    // [/accepted]

    const iocp::unique_handle port_ = iocp::make_port(0);
    connection_settings settings_;
    std::atomic<bool> stopping_{false};
    iocp::live_set<connection> live_;
    iocp::accept_pool accepts_;
};

} // namespace

int main(int argc, char** argv) {
    iocp::server_options options;
    unsigned workers = std::max(1U, std::thread::hardware_concurrency());
    unsigned accepts = 4;
    unsigned idle_s = 0;
    unsigned grace_s = 5;
    bool batch = false;
    connection_settings settings;
    iocp::command_line{
        "13_fast_path",
        "fewer trips to the kernel: three switches, each off unless asked for"}
        .server(options)
        .number("--workers", workers, 1, 64,
                "threads that take packets from the port; by default one per processor")
        .number("--accepts", accepts, 1, 1000, "how many accepts wait for clients")
        .number("--idle-timeout", idle_s, 0, 86400,
                "seconds without a byte after which a client is let go; 0: never")
        .number("--grace", grace_s, 0, 60,
                "seconds that busy clients have to finish after Ctrl+C")
        .flag("--batch", batch,
              "take several packets with one call (GetQueuedCompletionStatusEx)")
        .flag("--skip", settings.skip,
              "no packet for what succeeds at once (FILE_SKIP_COMPLETION_PORT_ON_SUCCESS)")
        .flag("--zero-byte", settings.zero_byte,
              "wait for data with a receive of zero bytes, which lends no buffer")
        .parse(argc, argv);
    try {
        const iocp::winsock winsock;
        const iocp::stop_signal stop;
        const iocp::address where{options.host, options.port};
        iocp::unique_socket listener = iocp::overlapped_socket(where.family());
        iocp::start_listening(listener.get(), where);

        server s{std::move(listener), where.family(), accepts, settings};
        const iocp::worker_pool pool{
            s.port(), workers, [&] { batch ? s.work_in_batches(workers) : s.work(); }};
        while (!stop.wait(idle_s == 0 ? INFINITE : static_cast<DWORD>(tick.count()))) {
            s.let_idle_go(std::chrono::seconds{idle_s});
        }
        s.shut_down(std::chrono::seconds{grace_s});
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
