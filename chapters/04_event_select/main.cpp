// Chapter 04: readiness through event objects. The system sets an event when something
// happens on a socket, and one call waits for sockets and for Ctrl+C alike. That call takes
// 64 handles, and with that the model is full.

#include "common/address.hpp"
#include "common/command_line.hpp"
#include "common/error.hpp"
#include "common/listener.hpp"
#include "common/stop_signal.hpp"
#include "common/unique.hpp"
#include "common/winsock.hpp"

#include <winsock2.h>

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <list>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {

// [limit]
// Two handles we keep for ourselves, for the stop event and for the listener's; the other
// 62 are clients.
constexpr std::size_t max_clients = WSA_MAXIMUM_WAIT_EVENTS - 2;
// [/limit]

// [create]
iocp::unique_event create_event() {
    // Manual reset: it stays signalled until somebody resets it.
    iocp::unique_event event{::WSACreateEvent()};
    if (!event) {
        iocp::fail(::WSAGetLastError(), "WSACreateEvent");
    }
    return event;
}
// [/create]

// [client]
struct client {
    // Also makes the socket non-blocking, and ends what it has inherited: an accepted
    // socket starts with the event selection of its listener.
    explicit client(iocp::unique_socket accepted)
        : event{create_event()}, socket{std::move(accepted)} {
        if (::WSAEventSelect(socket.get(), event.get(), FD_READ | FD_WRITE | FD_CLOSE) ==
            SOCKET_ERROR) {
            iocp::fail(::WSAGetLastError(), "WSAEventSelect");
        }
    }

    // Before the socket, so that it outlives it: the socket refers to it.
    iocp::unique_event event;
    iocp::unique_socket socket;
    char buffer[4096];
    int begin = 0; // received and not yet sent: buffer[begin, end)
    int end = 0;
    bool finished = false;
};
// [/client]

// [pump]
// Sends what is owed, then receives, until the socket would block. WSAEWOULDBLOCK is what
// we wait for: only a recv() that was called arms FD_READ again, and only a send() that
// would have blocked arms FD_WRITE.
void pump(client& c) {
    constexpr int fair_share = 16; // then the others have their turn
    for (int turn = 0; turn < fair_share; ++turn) {
        // [owed]
        while (c.begin < c.end) {
            const int sent = ::send(c.socket.get(), c.buffer + c.begin, c.end - c.begin, 0);
            if (sent == SOCKET_ERROR) {
                const int code = ::WSAGetLastError();
                if (code != WSAEWOULDBLOCK) {
                    iocp::fail(code, "send");
                }
                return;
            }
            c.begin += sent;
        }
        // [/owed]
        // [receive]
        const int received = ::recv(c.socket.get(), c.buffer, sizeof c.buffer, 0);
        if (received == SOCKET_ERROR) {
            const int code = ::WSAGetLastError();
            if (code != WSAEWOULDBLOCK) {
                iocp::fail(code, "recv");
            }
            return;
        }
        if (received == 0) {
            if (::shutdown(c.socket.get(), SD_SEND) == SOCKET_ERROR) {
                iocp::fail(::WSAGetLastError(), "shutdown");
            }
            c.finished = true;
            return;
        }
        c.begin = 0;
        c.end = received;
        // [/receive]
    }
    // [remind]
    // There is more to do, and FD_CLOSE, which comes once, may already have been. So remind
    // ourselves.
    if (!::WSASetEvent(c.event.get())) {
        iocp::fail(::WSAGetLastError(), "WSASetEvent");
    }
    // [/remind]
}
// [/pump]

// [look]
void look_at(client& c) {
    try {
        WSANETWORKEVENTS seen{};
        // Resets the event, too.
        if (::WSAEnumNetworkEvents(c.socket.get(), c.event.get(), &seen) == SOCKET_ERROR) {
            iocp::fail(::WSAGetLastError(), "WSAEnumNetworkEvents");
        }
        // Whatever was seen: the calls on the socket know best, and report what is wrong.
        pump(c);
    } catch (const std::exception& problem) { // this client is lost; the others are not
        std::fprintf(stderr, "%s\n", problem.what());
        c.finished = true;
    }
}
// [/look]

// [accept]
// 0, or the code with which accept() has failed.
int accept_one(SOCKET listener, WSAEVENT event, std::list<client>& clients) {
    // [one]
    // As above, and before accept(), which arms FD_ACCEPT again: a client that comes after
    // that sets an event that nobody resets any more.
    WSANETWORKEVENTS seen{};
    if (::WSAEnumNetworkEvents(listener, event, &seen) == SOCKET_ERROR) {
        iocp::fail(::WSAGetLastError(), "WSAEnumNetworkEvents");
    }
    // One client for each time that the event was set: when more of them wait, accept() has
    // it set again at once.
    iocp::unique_socket socket{::accept(listener, nullptr, nullptr)};
    // [/one]
    if (!socket) {
        const int code = ::WSAGetLastError();
        if (code == WSAEWOULDBLOCK) {
            return 0; // that one has left while it waited
        }
        // [unserved]
        // The client, or the next one, is still there to be accepted: remind ourselves.
        if (!::WSASetEvent(event)) {
            iocp::fail(::WSAGetLastError(), "WSASetEvent");
        }
        return code == WSAECONNRESET ? 0 : code;
        // [/unserved]
    }
    try {
        iocp::send_without_delay(socket.get());
        clients.emplace_back(std::move(socket));
    } catch (const std::exception& problem) { // one client less; the listener goes on
        std::fprintf(stderr, "%s\n", problem.what());
    }
    return 0;
}
// [/accept]

// [loop]
void serve(SOCKET listener, const iocp::stop_signal& stop) {
    // [listener]
    const iocp::unique_event listener_event = create_event();
    if (::WSAEventSelect(listener, listener_event.get(), FD_ACCEPT) == SOCKET_ERROR) {
        iocp::fail(::WSAGetLastError(), "WSAEventSelect");
    }
    // [/listener]

    using clock = std::chrono::steady_clock;
    constexpr auto pause = 250ms;
    std::list<client> clients;
    std::vector<WSAEVENT> events;
    events.reserve(WSA_MAXIMUM_WAIT_EVENTS); // no memory is asked for in the loop
    clock::time_point accept_from{};         // after a failure: a little later
    int last_failure = 0;
    for (;;) {
        // [wait]
        events.assign(1, stop.event());
        for (const client& c : clients) {
            events.push_back(c.event.get());
        }
        const bool pausing = clock::now() < accept_from;
        const bool accepting = !pausing && clients.size() < max_clients;
        if (accepting) { // when all handles are taken, the 63rd client waits unaccepted
            events.push_back(listener_event.get());
        }

        const DWORD count = static_cast<DWORD>(events.size());
        const DWORD limit_ms = pausing ? static_cast<DWORD>(pause.count()) : WSA_INFINITE;
        const DWORD first =
            ::WSAWaitForMultipleEvents(count, events.data(), FALSE, limit_ms, FALSE);
        if (first == WSA_WAIT_FAILED) {
            iocp::fail(::WSAGetLastError(), "WSAWaitForMultipleEvents");
        }
        // [/wait]

        // [round]
        // The call names the lowest signalled index and nothing of the others. To serve
        // that one alone would let a busy client with a low index starve the rest, so each
        // round looks at every event once.
        const auto is_signalled = [](WSAEVENT event) {
            return ::WSAWaitForMultipleEvents(1, &event, FALSE, 0, FALSE) ==
                   WSA_WAIT_EVENT_0;
        };
        if (is_signalled(stop.event())) {
            return;
        }
        for (client& c : clients) {
            if (is_signalled(c.event.get())) {
                look_at(c);
            }
        }
        std::erase_if(clients, [](const client& c) { return c.finished; });
        // [/round]
        // [again]
        if (accepting && is_signalled(listener_event.get())) {
            const int code = accept_one(listener, listener_event.get(), clients);
            if (code != 0) { // out of sockets, perhaps: the client waits until one is free
                accept_from = clock::now() + pause;
                if (code != last_failure) {
                    iocp::report(code, "accept"); // one line, however long it lasts
                }
            }
            last_failure = code;
        }
        // [/again]
    }
}
// [/loop]

} // namespace

int main(int argc, char** argv) {
    const auto options = iocp::parse_server_options(
        argc, argv, "04_event_select", "readiness through event objects, 64 at most");
    try {
        const iocp::winsock winsock;
        const iocp::stop_signal stop;
        const iocp::address where{options.host, options.port};
        const iocp::unique_socket listener{
            ::socket(where.family(), SOCK_STREAM, IPPROTO_TCP)};
        if (!listener) {
            iocp::fail(::WSAGetLastError(), "socket");
        }
        iocp::start_listening(listener.get(), where);
        serve(listener.get(), stop);
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
