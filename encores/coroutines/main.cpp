// Encore: coroutines. Each client has a function that reads like chapter 01's, and stands
// still where that one blocks. No thread waits meanwhile. What the function needs is kept
// in its frame on the heap, the operation that it waits for included (operation.hpp).

#include "operation.hpp"
#include "scope.hpp"
#include "session.hpp"

#include "common/address.hpp"
#include "common/command_line.hpp"
#include "common/error.hpp"
#include "common/event_acceptor.hpp"
#include "common/listener.hpp"
#include "common/overlapped_socket.hpp"
#include "common/port.hpp"
#include "common/stop_signal.hpp"
#include "common/unique.hpp"
#include "common/winsock.hpp"
#include "common/worker_pool.hpp"

#include <winsock2.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stop_token>
#include <thread>
#include <utility>

namespace {

// [echo]
session echo(scope& all, iocp::unique_socket client) {
    char buffer[4096];
    for (;;) {
        const DWORD received = co_await receive_some(all, client, buffer, sizeof buffer);
        if (received == 0) {
            break; // the client has said all it had to say
        }
        for (DWORD done = 0; done < received;) {
            done += co_await send_some(all, client, buffer + done, received - done);
        }
    }
    if (::shutdown(client.get(), SD_SEND) == SOCKET_ERROR) {
        iocp::report(::WSAGetLastError(), "shutdown");
    }
}
// [/echo]

// [work]
void work(const iocp::unique_handle& port) noexcept {
    for (;;) {
        const iocp::packet packet = iocp::dequeue(port, INFINITE);
        if (packet.overlapped == nullptr) { // our own: this worker ends
            if (packet.ended.error != ERROR_SUCCESS) {
                iocp::report(packet.ended.error, "GetQueuedCompletionStatus");
            }
            return;
        }
        // [resume]
        // back: the operation, if this thread is the last that has to do with it
        static_cast<operation*>(packet.overlapped)->dequeued(packet.ended);
        operation::submit_waiting();
        // [/resume]
    }
}
// [/work]

// [server]
struct server {
    explicit server(unsigned workers) : pool{port, workers, [this] { work(port); }} {}

    // The workers still work: each session is asked to stop, gets its operation back, and
    // ends. Then the workers are stopped, by the destructor of their pool.
    ~server() {
        stop.request_stop(); // cancels, on this thread, what is in flight
        constexpr std::chrono::seconds patience{10}; // no driver promises to end anything
        if (!all.frames.wait_until_empty(patience)) {
            std::fputs("a session has not ended\n", stderr);
            std::abort(); // what is lent cannot come back, and is not freed
        }
    }
    server(const server&) = delete;
    server& operator=(const server&) = delete;

    iocp::unique_handle port = iocp::make_port(0);
    std::stop_source stop;
    scope all{stop.get_token()};
    iocp::worker_pool pool;
};
// [/server]

// [accept]
void accept_one(server& s, iocp::event_acceptor& acceptor) noexcept {
    iocp::unique_socket accepted = acceptor.take();
    if (!accepted) {
        return;
    }
    try {
        iocp::associate(accepted.get(), s.port);
        iocp::send_without_delay(accepted.get());
        echo(s.all, std::move(accepted));     // until it stands still
    } catch (const std::exception& problem) { // one client less
        std::fprintf(stderr, "%s\n", problem.what());
    }
    operation::submit_waiting();
}
// [/accept]

void accept_until_stopped(server& s, iocp::event_acceptor& acceptor,
                          const iocp::stop_signal& stop) {
    const WSAEVENT events[] = {stop.event(), acceptor.event()};
    for (;;) {
        const DWORD wait_ms = acceptor.arm() ? WSA_INFINITE : 250; // else try again soon
        const DWORD first = ::WSAWaitForMultipleEvents(2, events, FALSE, wait_ms, FALSE);
        if (first == WSA_WAIT_FAILED) {
            iocp::fail(::WSAGetLastError(), "WSAWaitForMultipleEvents");
        }
        if (first == WSA_WAIT_EVENT_0) {
            return;
        }
        if (first == WSA_WAIT_EVENT_0 + 1) {
            accept_one(s, acceptor);
        }
    }
}

} // namespace

int main(int argc, char** argv) {
    iocp::server_options options;
    unsigned workers = std::max(1U, std::thread::hardware_concurrency());
    iocp::command_line{"coroutines", "a function for each client, which waits on the port"}
        .server(options)
        .number("--workers", workers, 1, 64, "threads that take packets from the port")
        .parse(argc, argv);
    try {
        const iocp::winsock winsock;
        const iocp::stop_signal stop;
        const iocp::address where{options.host, options.port};
        iocp::unique_socket listener = iocp::overlapped_socket(where.family());
        iocp::start_listening(listener.get(), where);
        iocp::event_acceptor acceptor{std::move(listener), where.family()};

        server s{workers};
        accept_until_stopped(s, acceptor, stop);
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
