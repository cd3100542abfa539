// Chapter 12: asking for the buffer back. CancelIoEx ends an operation early, but it only
// asks: the packet still comes, and it may bring data. With that, clients that are idle can
// be let go, and the whole server can end with nothing in flight and nothing half said.
// What a connection does for that is in connection.hpp; read it first.

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

enum completion_key : ULONG_PTR { listener_key = 1, client_key = 2 };

constexpr auto tick = 50ms; // how often the main thread looks at the connections

class server {
public:
    server(iocp::unique_socket listener, int family, unsigned accepts)
        : accepts_{std::move(listener), family, port_, listener_key, accepts} {}

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
            } else if (packet.code == ERROR_SUCCESS) {
                return; // the packet that stops a worker
            } else if (packet.code != WAIT_TIMEOUT) {
                iocp::report(packet.code, "GetQueuedCompletionStatus");
                return;
            }
            accepts_.top_up();
        }
    }

    // [drain]
    // The workers have ended. Before the memory goes, everything that is lent must be back.
    ~server() {
        accepts_.close();
        live_.for_each([](connection& c) { c.close_now(); });
        while (accepts_.armed() > 0 || live_.size() > 0) {
            const iocp::packet packet = iocp::dequeue(port_, INFINITE);
            if (packet.overlapped == nullptr) {
                iocp::report(packet.code, "GetQueuedCompletionStatus");
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
            accepted(static_cast<iocp::accept_operation*>(operation), packet.code);
            break;
        case kind::receive:
        case kind::send:
            connection::completed(*static_cast<connection_operation*>(operation),
                                  packet.bytes, packet.code);
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
            connection::start(std::make_unique<connection>(std::move(socket), live_));
        } catch (const std::exception& problem) {
            std::fprintf(stderr, "%s\n",
                         problem.what()); // one client less; the listener goes on
        }
    }
    // [/accepted]

    const iocp::unique_handle port_ = iocp::make_port(0);
    std::atomic<bool> stopping_{false};
    iocp::live_set<connection> live_;
    iocp::accept_pool accepts_;
};

} // namespace

// [main]
int main(int argc, char** argv) {
    iocp::server_options options;
    unsigned workers = std::max(1U, std::thread::hardware_concurrency());
    unsigned accepts = 4;
    unsigned idle_s = 0;
    unsigned grace_s = 5;
    iocp::command_line{"12_orderly_end",
                       "asking for the buffer back; ending with nothing in flight"}
        .server(options)
        .number("--workers", workers, 1, 64,
                "threads that take packets from the port; by default one per processor")
        .number("--accepts", accepts, 1, 1000, "how many accepts wait for clients")
        .number("--idle-timeout", idle_s, 0, 86400,
                "seconds without a byte after which a client is let go; 0: never")
        .number("--grace", grace_s, 0, 60,
                "seconds that busy clients have to finish after Ctrl+C")
        .parse(argc, argv);
    try {
        const iocp::winsock winsock;
        const iocp::stop_signal stop;
        const iocp::address where{options.host, options.port};
        iocp::unique_socket listener = iocp::overlapped_socket(where.family());
        iocp::start_listening(listener.get(), where);

        server s{std::move(listener), where.family(), accepts};
        iocp::worker_pool pool;
        pool.start(s.port(), workers, [&s] { s.work(); });
        while (!stop.wait(idle_s == 0 ? INFINITE : static_cast<DWORD>(tick.count()))) {
            s.let_idle_go(std::chrono::seconds{idle_s});
        }
        s.shut_down(std::chrono::seconds{grace_s});
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
// [/main]
