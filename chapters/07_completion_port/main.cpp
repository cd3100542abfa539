// Chapter 07: a completion port. The queue of chapter 00 tells of the ends of all
// operations: no events, no array of handles, no 64. One worker thread takes packets from
// the queue; the main thread accepts, as in chapter 06.

#include "common/address.hpp"
#include "common/command_line.hpp"
#include "common/error.hpp"
#include "common/event_acceptor.hpp"
#include "common/listener.hpp"
#include "common/overlapped_socket.hpp"
#include "common/stop_signal.hpp"
#include "common/unique.hpp"
#include "common/winsock.hpp"

#include <winsock2.h>

#include <cstdio>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <type_traits>
#include <utility>

namespace {

struct connection;

// [server]
// The port hands the key out with each packet. Ours says which kind of packet it is.
enum completion_key : ULONG_PTR { client_key = 1, stop_key = 2 };

struct server {
    server();
    ~server(); // takes back what is in flight

    iocp::unique_handle port;
    std::mutex guard;           // of `live`: both threads change it
    std::set<connection*> live; // to close their sockets at the end; it owns none of them
};

server::server() {
    port.reset(::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 1));
    if (!port) {
        iocp::fail(::GetLastError(), "CreateIoCompletionPort");
    }
}
// [/server]

// [operation]
// What is lent with each submit, and what comes back in its packet.
struct operation : OVERLAPPED {
    operation() : OVERLAPPED{} {}
    void clear() { static_cast<OVERLAPPED&>(*this) = {}; } // the last result is still in it
};

// How an operation has ended. An error is a Win32 code, as the dequeue gives it: 64 is a
// reset.
struct result {
    DWORD bytes = 0;
    DWORD error = ERROR_SUCCESS;
};
// [/operation]

// [connection]
// The operation is the connection: what comes back from the port as OVERLAPPED* is this,
// and no table is needed to find it. A std::unique_ptr owns it, except while an operation
// is in flight: then the kernel does.
struct connection : operation {
    connection(iocp::unique_socket accepted, server& s)
        : socket{std::move(accepted)}, home{s} {
        const std::lock_guard lock{home.guard};
        home.live.insert(this);
    }
    ~connection() {
        const std::lock_guard lock{home.guard};
        home.live.erase(this);
    }
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    iocp::unique_socket socket;
    server& home;
    char buffer[4096];
    ULONG begin = 0; // received and not yet sent: buffer[begin, end)
    ULONG end = 0;
    bool receiving = false;
};
static_assert(std::is_base_of_v<OVERLAPPED, connection>,
              "static_cast leads from the packet back to the connection");
// [/connection]

// [submit]
// [lend]
// From the call on, the worker may have the packet already, may even have destroyed the
// connection. So nothing of it is touched after the submit, unless the submit has failed:
// then there will be no packet, and it is ours again.
void check_submitted(connection* lent, int returned, const char* call) {
    const int code = returned == 0 ? 0 : ::WSAGetLastError();
    if (code != 0 && code != WSA_IO_PENDING) {
        const std::unique_ptr<connection> mine{lent};
        // back: the connection: at once, and it goes
        iocp::report(code, call);
    }
}

void receive(std::unique_ptr<connection> mine) {
    mine->clear();
    mine->receiving = true;
    WSABUF room{sizeof mine->buffer, mine->buffer};
    DWORD flags = 0;
    connection* const lent = mine.release();
    // lent: the connection -> kernel until its packet is dequeued
    check_submitted(lent,
                    ::WSARecv(lent->socket.get(), &room, 1, nullptr, &flags, lent, nullptr),
                    "WSARecv");
}
// [/lend]

// [send_rest]
void send_rest(std::unique_ptr<connection> mine) {
    mine->clear();
    mine->receiving = false;
    WSABUF rest{mine->end - mine->begin, mine->buffer + mine->begin};
    connection* const lent = mine.release();
    // lent: the connection -> kernel until its packet is dequeued
    check_submitted(lent,
                    ::WSASend(lent->socket.get(), &rest, 1, nullptr, 0, lent, nullptr),
                    "WSASend");
}
// [/send_rest]
// [/submit]

// [advance]
void advance(std::unique_ptr<connection> mine, result ended) {
    if (ended.error != ERROR_SUCCESS) { // this client is lost; the others are not
        iocp::report(ended.error, mine->receiving ? "WSARecv" : "WSASend");
        return;
    }
    if (mine->receiving &&
        ended.bytes == 0) { // the client has said all; the connection goes
        if (::shutdown(mine->socket.get(), SD_SEND) == SOCKET_ERROR) {
            iocp::report(::WSAGetLastError(), "shutdown");
        }
        return;
    }
    if (mine->receiving) {
        mine->begin = 0;
        mine->end = ended.bytes;
    } else {
        mine->begin += ended.bytes;
    }
    if (mine->begin < mine->end) {
        send_rest(std::move(mine));
    } else {
        receive(std::move(mine));
    }
}
// [/advance]

// [worker]
void work(server& s) {
    for (;;) {
        // [dequeue]
        result ended;
        ULONG_PTR key = 0;
        OVERLAPPED* overlapped = nullptr;
        if (!::GetQueuedCompletionStatus(s.port.get(), &ended.bytes, &key, &overlapped,
                                         INFINITE)) {
            ended.error = ::GetLastError();
        }
        // [/dequeue]

        // [no_operation]
        if (overlapped == nullptr) {
            if (key != stop_key) { // the port is gone: 735 while we waited, 6 before
                iocp::report(ended.error, "GetQueuedCompletionStatus");
            }
            return;
        }
        // [/no_operation]

        // [packet]
        std::unique_ptr<connection> mine{static_cast<connection*>(overlapped)};
        // back: the connection
        advance(std::move(mine), ended);
        // [/packet]
    }
}
// [/worker]

// [stop_worker]
struct worker_thread {
    explicit worker_thread(server& s) : home{s}, thread{work, std::ref(s)} {}
    ~worker_thread() {
        // A packet of our own: no operation belongs to it.
        while (!::PostQueuedCompletionStatus(home.port.get(), 0, stop_key, nullptr)) {
            iocp::report(::GetLastError(), "PostQueuedCompletionStatus");
            ::Sleep(100); // no memory for a packet; without it the worker would never end
        }
        thread.join();
    }

    server& home;
    std::thread thread;
};
// [/stop_worker]

// [associate]
void start_connection(server& s, iocp::unique_socket accepted) {
    // The function that makes a port also associates a handle with it, until that is
    // closed.
    if (::CreateIoCompletionPort(reinterpret_cast<HANDLE>(accepted.get()), s.port.get(),
                                 client_key, 0) == nullptr) {
        iocp::fail(::GetLastError(), "CreateIoCompletionPort");
    }
    iocp::send_without_delay(accepted.get());
    receive(std::make_unique<connection>(std::move(accepted), s));
}
// [/associate]

// [accept]
void accept_until_stopped(server& s, iocp::event_acceptor& acceptor,
                          const iocp::stop_signal& stop) {
    const WSAEVENT events[] = {stop.event(), acceptor.event()};
    for (;;) {
        const DWORD wait_ms =
            acceptor.arm() ? WSA_INFINITE : 250; // not armed: try again soon
        const DWORD first = ::WSAWaitForMultipleEvents(2, events, FALSE, wait_ms, FALSE);
        if (first == WSA_WAIT_FAILED) {
            iocp::fail(::WSAGetLastError(), "WSAWaitForMultipleEvents");
        }
        if (first == WSA_WAIT_EVENT_0) {
            return;
        }
        if (first != WSA_WAIT_EVENT_0 + 1) {
            continue;
        }
        try {
            if (iocp::unique_socket accepted = acceptor.take()) {
                start_connection(s, std::move(accepted));
            }
        } catch (const std::exception& problem) { // one client less; the listener goes on
            std::fprintf(stderr, "%s\n", problem.what());
        }
    }
}
// [/accept]

// [stop]
// Closing a socket ends its operation, and the end is a packet like any other. No
// connection is destroyed before its packet is here. By now this is the only thread: the
// worker has ended, and every connection that is left is in flight.
server::~server() {
    for (connection* c : live) {
        iocp::cancel_and_close(c->socket);
    }
    while (!live.empty()) {
        result ended;
        ULONG_PTR key = 0;
        OVERLAPPED* overlapped = nullptr;
        ::GetQueuedCompletionStatus(port.get(), &ended.bytes, &key, &overlapped, INFINITE);
        if (overlapped == nullptr) {
            iocp::report(::GetLastError(), "GetQueuedCompletionStatus");
            return; // without the port nothing can come back: what is lent stays lent
        }
        const std::unique_ptr<connection> mine{static_cast<connection*>(overlapped)};
        // back: the connection, whatever has become of its operation
    }
}
// [/stop]

} // namespace

int main(int argc, char** argv) {
    const auto options = iocp::parse_server_options(
        argc, argv, "07_completion_port", "one queue for completions, one worker");
    try {
        const iocp::winsock winsock;
        const iocp::stop_signal stop;
        const iocp::address where{options.host, options.port};
        iocp::unique_socket listener = iocp::overlapped_socket(where.family());
        iocp::start_listening(listener.get(), where);
        iocp::event_acceptor acceptor{std::move(listener), where.family()};

        server s;
        const worker_thread worker{s};
        accept_until_stopped(s, acceptor, stop);
    } catch (
        const std::exception& problem) { // the worker has ended, then all has come back
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
