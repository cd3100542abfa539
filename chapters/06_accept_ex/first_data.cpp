// Chapter 06, on the side: AcceptEx with a receive length. The accept then waits for the
// first bytes of its client too, and whoever connects and says nothing holds up everybody
// else. SO_CONNECT_TIME is the remedy; not to ask for first data is a better one.

#include "common/address.hpp"
#include "common/command_line.hpp"
#include "common/error.hpp"
#include "common/event.hpp"
#include "common/event_acceptor.hpp"
#include "common/event_echo.hpp"
#include "common/extension_functions.hpp"
#include "common/listener.hpp"
#include "common/overlapped_socket.hpp"
#include "common/stop_signal.hpp"
#include "common/unique.hpp"
#include "common/winsock.hpp"

#include <winsock2.h>

#include <mswsock.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <list>
#include <utility>
#include <vector>

namespace {

constexpr std::size_t max_clients = WSA_MAXIMUM_WAIT_EVENTS - 2;
constexpr DWORD first_data_room = iocp::event_echo::buffer_size;
constexpr DWORD tick_ms = 250;

// [acceptor]
// As in main.cpp, but for the block: the first data lies in it before the two addresses.
struct acceptor {
    acceptor(iocp::unique_socket listening, int its_family)
        : listener{std::move(listening)}, family{its_family}, extensions{listener.get()} {}
    ~acceptor();
    acceptor(const acceptor&) = delete;
    acceptor& operator=(const acceptor&) = delete;

    iocp::unique_socket listener;
    int family;
    iocp::extension_functions extensions;
    iocp::unique_event event = iocp::make_event();
    iocp::unique_socket socket; // the one that is to be connected
    WSAOVERLAPPED overlapped{};
    char block[first_data_room + 2 * iocp::accept_address_room];
    bool in_flight = false;
};
// [/acceptor]

acceptor::~acceptor() {
    iocp::cancel_and_close(listener);
    if (in_flight) {
        const WSAEVENT ended = event.get();
        if (::WSAWaitForMultipleEvents(1, &ended, TRUE, WSA_INFINITE, FALSE) ==
            WSA_WAIT_FAILED) {
            iocp::report(::WSAGetLastError(), "WSAWaitForMultipleEvents");
            std::abort(); // it is still lent: to free it would be worse
        }
        // back: overlapped, block
    }
}

// [submit]
void submit_accept(acceptor& a) {
    a.socket = iocp::overlapped_socket(a.family);
    if (!::WSAResetEvent(a.event.get())) {
        iocp::fail(::WSAGetLastError(), "WSAResetEvent");
    }
    a.overlapped = {};
    a.overlapped.hEvent = a.event.get();
    DWORD bytes = 0;
    a.in_flight = true;
    // lent: a.overlapped, a.block, a.socket -> kernel until WSAGetOverlappedResult gives a
    // result that is not 996
    if (!a.extensions.AcceptEx(a.listener.get(), a.socket.get(), a.block, first_data_room,
                               iocp::accept_address_room, iocp::accept_address_room, &bytes,
                               &a.overlapped)) {
        const int code = ::WSAGetLastError();
        if (code != ERROR_IO_PENDING) {
            a.in_flight = false;
            // back: a.overlapped, a.block, a.socket: at once
            iocp::fail(code, "AcceptEx");
        }
    }
}
// [/submit]

// [complete]
void complete_accept(acceptor& a, std::list<iocp::event_echo>& connections) {
    DWORD bytes = 0; // how much the client has said
    DWORD flags = 0;
    const BOOL good =
        ::WSAGetOverlappedResult(a.listener.get(), &a.overlapped, &bytes, FALSE, &flags);
    const int code = good ? 0 : ::WSAGetLastError();
    if (code == WSA_IO_INCOMPLETE) {
        return;
    }
    a.in_flight = false;
    // back: a.overlapped, a.block, a.socket
    if (code != 0) {
        iocp::fail(code, "AcceptEx"); // the client has left, or we have closed its socket
    }
    iocp::update_accept_context(a.socket.get(), a.listener.get());
    iocp::send_without_delay(a.socket.get());
    // start() copies the first data: the block is soon lent again.
    connections.emplace_back(std::move(a.socket)).start({a.block, bytes});
}
// [/complete]

// [patience]
// SO_CONNECT_TIME tells for how many seconds the socket has been connected, although its
// accept is still in flight. Closing it ends the operation, and the next client can come.
void end_silence(acceptor& a, unsigned patience_s) {
    DWORD connected_s = 0;
    int length = sizeof connected_s;
    if (::getsockopt(a.socket.get(), SOL_SOCKET, SO_CONNECT_TIME,
                     reinterpret_cast<char*>(&connected_s), &length) == SOCKET_ERROR) {
        return; // not connected yet: so says one of Microsoft's pages,
    }
    constexpr DWORD not_connected = 0xFFFF'FFFF; // and so says another
    if (connected_s != not_connected && connected_s >= patience_s) {
        a.socket.reset();
    }
}
// [/patience]

// [loop]
void serve(acceptor& a, unsigned patience_s, const iocp::stop_signal& stop) {
    std::list<iocp::event_echo> connections; // a list: its elements never move
    std::vector<WSAEVENT> events;
    events.reserve(WSA_MAXIMUM_WAIT_EVENTS);
    bool failing = false;
    for (;;) {
        try {
            if (!a.in_flight && connections.size() < max_clients) {
                submit_accept(a);
                failing = false;
            }
        } catch (const std::exception& problem) { // tried again with the next tick
            if (!std::exchange(failing, true)) {
                std::fprintf(stderr, "%s\n", problem.what());
            }
        }
        events.assign(1, stop.event());
        if (a.in_flight) {
            events.push_back(a.event.get());
        }
        for (const iocp::event_echo& c : connections) {
            events.push_back(c.event());
        }
        const DWORD count = static_cast<DWORD>(events.size());
        if (::WSAWaitForMultipleEvents(count, events.data(), FALSE, tick_ms, FALSE) ==
            WSA_WAIT_FAILED) {
            iocp::fail(::WSAGetLastError(), "WSAWaitForMultipleEvents");
        }

        if (stop.is_set()) {
            return;
        }
        for (iocp::event_echo& c : connections) {
            if (iocp::is_signalled(c.event())) {
                c.complete();
            }
        }
        std::erase_if(connections, [](const iocp::event_echo& c) { return c.finished(); });
        try {
            if (a.in_flight && iocp::is_signalled(a.event.get())) {
                complete_accept(a, connections);
            } else if (a.in_flight && a.socket && patience_s != 0) {
                end_silence(a, patience_s);
            }
        } catch (const std::exception& problem) { // one client less
            std::fprintf(stderr, "%s\n", problem.what());
        }
    }
}
// [/loop]

} // namespace

int main(int argc, char** argv) {
    iocp::server_options options;
    unsigned patience_s = 0;
    iocp::command_line{"06_first_data", "an accept that waits for its client's first bytes"}
        .server(options)
        .number("--patience", patience_s, 0, 3600,
                "seconds that a silent client may hold the accept; 0 is for ever")
        .parse(argc, argv);
    try {
        const iocp::winsock winsock;
        const iocp::stop_signal stop;
        const iocp::address where{options.host, options.port};
        iocp::unique_socket listener = iocp::overlapped_socket(where.family());
        iocp::start_listening(listener.get(), where);
        acceptor a{std::move(listener), where.family()};
        serve(a, patience_s, stop);
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
