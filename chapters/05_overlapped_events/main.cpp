// Chapter 05: overlapped operations. Until now we asked when a call would not block, and
// then made it. Here the call is made at once: it borrows a buffer, returns, and an event
// tells when the buffer is back. Accepting stays as it was.

#include "common/address.hpp"
#include "common/command_line.hpp"
#include "common/error.hpp"
#include "common/event.hpp"
#include "common/listener.hpp"
#include "common/overlapped_socket.hpp"
#include "common/stop_signal.hpp"
#include "common/unique.hpp"
#include "common/winsock.hpp"

#include <winsock2.h>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <list>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {

constexpr std::size_t max_clients =
    WSA_MAXIMUM_WAIT_EVENTS - 2; // stop and listener take the other two

// [connection]
// One operation at a time: a receive, then the send of what came, then the next receive.
// While it is in flight the system writes to `overlapped` and `buffer`, so a connection
// stays where it is: no copy, no move.
struct connection {
    explicit connection(iocp::unique_socket accepted)
        : socket{std::move(accepted)}, event{iocp::make_event()} {}
    ~connection();
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    iocp::unique_socket socket;
    iocp::unique_event event; // the end of the operation, not the readiness of the socket
    WSAOVERLAPPED overlapped{};
    char buffer[4096];
    ULONG begin = 0; // received and not yet sent: buffer[begin, end)
    ULONG end = 0;
    bool in_flight = false;
    bool receiving = false;
    bool finished = false;
};
// [/connection]

// [destroy]
// Closing a socket ends its operation, but it does not give the memory back: that has
// happened when the event is set, and not before. So the end of a connection waits for it,
// on every path that leads here.
connection::~connection() {
    iocp::cancel_and_close(socket);
    if (in_flight) {
        const WSAEVENT ended = event.get();
        if (::WSAWaitForMultipleEvents(1, &ended, TRUE, WSA_INFINITE, FALSE) ==
            WSA_WAIT_FAILED) {
            iocp::report(::WSAGetLastError(), "WSAWaitForMultipleEvents");
            std::abort(); // it is still lent: to free it would be worse
        }
        // back: overlapped, buffer. With what result we cannot ask: the socket to ask with
        // is gone.
    }
}
// [/destroy]

// [submit]
// [prepare]
void prepare(connection& c) {
    if (!::WSAResetEvent(c.event.get())) { // it still tells of the operation before
        iocp::fail(::WSAGetLastError(), "WSAResetEvent");
    }
    c.overlapped = {};
    c.overlapped.hEvent = c.event.get();
}
// [/prepare]

// [check_submitted]
// What a submit returned: 0, or SOCKET_ERROR with a code. Whether it has succeeded at once
// or is pending makes no difference here: in both cases the event is set when the operation
// has ended, and we read the result then.
void check_submitted(connection& c, int returned, const char* call) {
    c.in_flight = true;
    if (returned == SOCKET_ERROR) {
        const int code = ::WSAGetLastError();
        if (code != WSA_IO_PENDING) {
            c.in_flight = false;
            // back: c.overlapped, c.buffer: the operation was never started, and the event
            // will not be set
            iocp::fail(code, call);
        }
    }
}
// [/check_submitted]

// [receive]
void receive(connection& c) {
    prepare(c);
    c.receiving = true;
    // The call copies this description; the bytes that it describes it borrows.
    WSABUF room{sizeof c.buffer, c.buffer};
    DWORD flags = 0;
    // lent: c.overlapped, c.buffer -> kernel until WSAGetOverlappedResult gives a result
    // that is not 996
    check_submitted(
        c, ::WSARecv(c.socket.get(), &room, 1, nullptr, &flags, &c.overlapped, nullptr),
        "WSARecv");
}
// [/receive]

// [send_rest]
void send_rest(connection& c) {
    prepare(c);
    c.receiving = false;
    WSABUF rest{c.end - c.begin, c.buffer + c.begin};
    // lent: c.overlapped, c.buffer -> kernel until WSAGetOverlappedResult gives a result
    // that is not 996
    check_submitted(c,
                    ::WSASend(c.socket.get(), &rest, 1, nullptr, 0, &c.overlapped, nullptr),
                    "WSASend");
}
// [/send_rest]
// [/submit]

// [complete]
void complete(connection& c) {
    // [result]
    DWORD bytes = 0;
    DWORD flags = 0;
    const BOOL good =
        ::WSAGetOverlappedResult(c.socket.get(), &c.overlapped, &bytes, FALSE, &flags);
    const int code = good ? 0 : ::WSAGetLastError();
    if (code == WSA_IO_INCOMPLETE) {
        // 996: not yet. The event was set, so this cannot be; if it is, all is still lent.
        return;
    }
    c.in_flight = false;
    // back: c.overlapped, c.buffer
    if (code != 0) {
        iocp::fail(code, c.receiving ? "WSARecv" : "WSASend");
    }
    // [/result]

    if (!c.receiving) {
        c.begin += bytes;
        if (c.begin < c.end) {
            send_rest(c);
        } else {
            receive(c);
        }
    } else if (bytes > 0) {
        c.begin = 0;
        c.end = bytes; // what came, not what there was room for
        send_rest(c);
    } else {
        if (::shutdown(c.socket.get(), SD_SEND) == SOCKET_ERROR) {
            iocp::fail(::WSAGetLastError(), "shutdown");
        }
        c.finished = true;
    }
}
// [/complete]

// [guard]
// Runs the next step of one connection. If that fails this client is lost; the others are
// not.
void guarded(connection& c, void (*step)(connection&)) {
    try {
        step(c);
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        c.finished = true;
    }
}
// [/guard]

// [accept]
// [start]
void start(connection& c) {
    // The accepted socket has inherited the event selection of its listener; we wait for it
    // in another way.
    if (::WSAEventSelect(c.socket.get(), nullptr, 0) == SOCKET_ERROR) {
        iocp::fail(::WSAGetLastError(), "WSAEventSelect");
    }
    iocp::send_without_delay(c.socket.get());
    receive(c);
}
// [/start]

// [accept_one]
// 0, or the code with which accept() has failed.
int accept_one(SOCKET listener, WSAEVENT event, std::list<connection>& connections) {
    WSANETWORKEVENTS seen{};
    if (::WSAEnumNetworkEvents(listener, event, &seen) == SOCKET_ERROR) {
        iocp::fail(::WSAGetLastError(), "WSAEnumNetworkEvents");
    }
    // Overlapped, as its listener is.
    iocp::unique_socket socket{::accept(listener, nullptr, nullptr)};
    if (!socket) {
        const int code = ::WSAGetLastError();
        if (code == WSAEWOULDBLOCK) {
            return 0;
        }
        if (!::WSASetEvent(event)) { // as in chapter 04: somebody is still there
            iocp::fail(::WSAGetLastError(), "WSASetEvent");
        }
        return code == WSAECONNRESET ? 0 : code;
    }
    try {
        guarded(connections.emplace_back(std::move(socket)), start);
    } catch (const std::exception& problem) { // no memory or no event: one client less
        std::fprintf(stderr, "%s\n", problem.what());
    }
    return 0;
}
// [/accept_one]
// [/accept]

// [loop]
void serve(SOCKET listener, const iocp::stop_signal& stop) {
    const iocp::unique_event listener_event = iocp::make_event();
    if (::WSAEventSelect(listener, listener_event.get(), FD_ACCEPT) == SOCKET_ERROR) {
        iocp::fail(::WSAGetLastError(), "WSAEventSelect");
    }

    using clock = std::chrono::steady_clock;
    constexpr auto pause = 250ms;
    std::list<connection> connections; // a list: its elements never move
    std::vector<WSAEVENT> events;
    events.reserve(WSA_MAXIMUM_WAIT_EVENTS); // no memory is asked for in the loop
    clock::time_point accept_from{};         // after a failure: a little later
    int last_failure = 0;
    for (;;) {
        // [wait]
        events.assign(1, stop.event());
        for (const connection& c : connections) {
            events.push_back(c.event.get());
        }
        const bool pausing = clock::now() < accept_from;
        const bool accepting = !pausing && connections.size() < max_clients;
        if (accepting) {
            events.push_back(listener_event.get());
        }
        const DWORD count = static_cast<DWORD>(events.size());
        const DWORD limit_ms = pausing ? static_cast<DWORD>(pause.count()) : WSA_INFINITE;
        if (::WSAWaitForMultipleEvents(count, events.data(), FALSE, limit_ms, FALSE) ==
            WSA_WAIT_FAILED) {
            iocp::fail(::WSAGetLastError(), "WSAWaitForMultipleEvents");
        }
        // [/wait]

        // [round]
        if (stop.is_set()) {
            return;
        }
        for (connection& c : connections) {
            if (iocp::is_signalled(c.event.get())) {
                guarded(c, complete);
            }
        }
        std::erase_if(connections, [](const connection& c) { return c.finished; });
        // [/round]
        if (accepting && iocp::is_signalled(listener_event.get())) {
            const int code = accept_one(listener, listener_event.get(), connections);
            if (code != 0) {
                accept_from = clock::now() + pause;
                if (code != last_failure) {
                    iocp::report(code, "accept");
                }
            }
            last_failure = code;
        }
    }
}
// [/loop]

} // namespace

int main(int argc, char** argv) {
    const auto options =
        iocp::parse_server_options(argc, argv, "05_overlapped_events",
                                   "completion: lend a buffer, be told when it is back");
    try {
        const iocp::winsock winsock;
        const iocp::stop_signal stop;
        const iocp::address where{options.host, options.port};

        // [socket]
        // socket() would do: it, too, makes sockets for overlapped operations. WSASocketW
        // says so, and keeps the handle from child processes, which would otherwise hold
        // the port after we are gone.
        const iocp::unique_socket listener{
            ::WSASocketW(where.family(), SOCK_STREAM, IPPROTO_TCP, nullptr, 0,
                         WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT)};
        // [/socket]
        if (!listener) {
            iocp::fail(::WSAGetLastError(), "WSASocketW");
        }
        iocp::start_listening(listener.get(), where);
        serve(listener.get(), stop);
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
