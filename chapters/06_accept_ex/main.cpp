// Chapter 06: AcceptEx. Accepting becomes an operation like the others: submitted before
// the client comes, with a socket that waits to be connected, and with memory that is lent
// until the event is set.

#include "common/address.hpp"
#include "common/command_line.hpp"
#include "common/error.hpp"
#include "common/event.hpp"
#include "common/event_echo.hpp"
#include "common/listener.hpp"
#include "common/overlapped_socket.hpp"
#include "common/stop_signal.hpp"
#include "common/unique.hpp"
#include "common/winsock.hpp"

#include <winsock2.h>

#include <mswsock.h>
#include <ws2tcpip.h>

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

using clock = std::chrono::steady_clock;

constexpr std::size_t max_clients =
    WSA_MAXIMUM_WAIT_EVENTS - 2; // stop and accept take the other two

// [extension]
// AcceptEx is not in ws2_32.dll: the provider of this very socket is asked for its address.
template <class Function>
Function load_extension(SOCKET socket, GUID id, const char* name) {
    Function function = nullptr;
    DWORD bytes = 0;
    if (::WSAIoctl(socket, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof id, &function,
                   sizeof function, &bytes, nullptr, nullptr) == SOCKET_ERROR) {
        iocp::fail(::WSAGetLastError(), "WSAIoctl SIO_GET_EXTENSION_FUNCTION_POINTER",
                   name);
    }
    return function;
}
// [/extension]

// [acceptor]
// AcceptEx writes both addresses, each with 16 bytes more than the address itself needs.
constexpr DWORD address_room = sizeof(sockaddr_in6) + 16;

struct acceptor {
    acceptor(iocp::unique_socket listening, const iocp::address& where)
        : listener{std::move(listening)}, family{where.family()}, event{iocp::make_event()},
          AcceptEx{
              load_extension<LPFN_ACCEPTEX>(listener.get(), WSAID_ACCEPTEX, "AcceptEx")},
          GetAcceptExSockaddrs{load_extension<LPFN_GETACCEPTEXSOCKADDRS>(
              listener.get(), WSAID_GETACCEPTEXSOCKADDRS, "GetAcceptExSockaddrs")} {}
    ~acceptor();
    acceptor(const acceptor&) = delete;
    acceptor& operator=(const acceptor&) = delete;

    iocp::unique_socket listener;
    int family;
    iocp::unique_event event;
    LPFN_ACCEPTEX AcceptEx;
    LPFN_GETACCEPTEXSOCKADDRS GetAcceptExSockaddrs;
    iocp::unique_socket socket; // the one that is to be connected
    WSAOVERLAPPED overlapped{};
    char block[2 * address_room];
    bool in_flight = false;
    clock::time_point accept_from{}; // after a failure: a little later
    DWORD last_failure = 0;
};

// [acceptor_end]
acceptor::~acceptor() {
    // The operation was submitted on the listener: closing that ends it.
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
// [/acceptor_end]
// [/acceptor]

// [submit_accept]
void submit_accept(acceptor& a) {
    a.socket = iocp::overlapped_socket(a.family);
    if (!::WSAResetEvent(a.event.get())) {
        iocp::fail(::WSAGetLastError(), "WSAResetEvent");
    }
    a.overlapped = {};
    a.overlapped.hEvent = a.event.get();
    DWORD bytes = 0; // ours to read only if the call completes at once, so it may be local
    a.in_flight = true;
    // lent: a.overlapped, a.block, a.socket -> kernel until WSAGetOverlappedResult gives a
    // result that is not 996
    constexpr DWORD receive_length = 0; // be back when a client connects
    if (!a.AcceptEx(a.listener.get(), a.socket.get(), a.block, receive_length, address_room,
                    address_room, &bytes, &a.overlapped)) {
        const int code = ::WSAGetLastError();
        if (code != ERROR_IO_PENDING) {
            a.in_flight = false;
            // back: a.overlapped, a.block, a.socket: at once
            iocp::fail(code, "AcceptEx");
        }
    }
}
// [/submit_accept]

// [complete_accept]
void complete_accept(acceptor& a, std::list<iocp::event_echo>& connections) {
    DWORD bytes = 0;
    DWORD flags = 0;
    // [accept_result]
    // Asked of the listener, on which the operation was submitted, and not of the socket
    // that was accepted.
    const BOOL good =
        ::WSAGetOverlappedResult(a.listener.get(), &a.overlapped, &bytes, FALSE, &flags);
    const int code = good ? 0 : ::WSAGetLastError();
    if (code == WSA_IO_INCOMPLETE) {
        return;
    }
    a.in_flight = false;
    // back: a.overlapped, a.block, a.socket
    if (code != 0) {
        iocp::fail(code, "AcceptEx");
    }
    // [/accept_result]

    // [update_context]
    // The accepted socket does not know yet what it is: this gives it the properties of the
    // listener. Before that it may be given to a few calls only; shutdown, getsockname and
    // getpeername are not among them. The value is the listening socket itself.
    const SOCKET listener = a.listener.get();
    if (::setsockopt(a.socket.get(), SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT,
                     reinterpret_cast<const char*>(&listener),
                     sizeof listener) == SOCKET_ERROR) {
        iocp::fail(::WSAGetLastError(), "setsockopt SO_UPDATE_ACCEPT_CONTEXT");
    }
    // [/update_context]

    // [addresses]
    sockaddr* local = nullptr; // both will point into the block
    sockaddr* remote = nullptr;
    int local_length = 0;
    int remote_length = 0;
    a.GetAcceptExSockaddrs(a.block, 0, address_room, address_room, &local, &local_length,
                           &remote, &remote_length);
    std::printf("accepted %s\n", iocp::address{remote, remote_length}.text().c_str());
    std::fflush(stdout);
    // [/addresses]

    a.last_failure = 0;
    iocp::send_without_delay(a.socket.get());
    connections.emplace_back(std::move(a.socket)).start();
}
// [/complete_accept]

// [accept_failed]
// A client that resets while it is accepted is no trouble to anybody else. Whatever else
// has failed would fail again at once, so it is told once, and tried again later.
void accept_failed(acceptor& a, const std::exception& problem) {
    const auto* const call = dynamic_cast<const iocp::call_error*>(&problem);
    const DWORD code = call == nullptr ? ERROR_OUTOFMEMORY : call->code();
    if (code == WSAECONNRESET || code == WSAENOTCONN) { // the latter under Wine
        return;
    }
    a.accept_from = clock::now() + 250ms;
    if (std::exchange(a.last_failure, code) != code) {
        std::fprintf(stderr, "%s\n", problem.what());
    }
}
// [/accept_failed]

// [loop]
void serve(acceptor& a, const iocp::stop_signal& stop) {
    std::list<iocp::event_echo> connections; // a list: its elements never move
    std::vector<WSAEVENT> events;
    events.reserve(WSA_MAXIMUM_WAIT_EVENTS); // no memory is asked for in the loop
    for (;;) {
        // [arm]
        const bool room = connections.size() < max_clients;
        if (room && !a.in_flight && clock::now() >= a.accept_from) {
            try {
                submit_accept(a);
            } catch (const std::exception& problem) {
                accept_failed(a, problem);
            }
        }
        // [/arm]
        events.assign(1, stop.event());
        if (a.in_flight) { // if not, its event still tells of the accept before
            events.push_back(a.event.get());
        }
        for (const iocp::event_echo& c : connections) {
            events.push_back(c.event());
        }
        const DWORD limit_ms = room && !a.in_flight ? 250 : WSA_INFINITE;
        const DWORD count = static_cast<DWORD>(events.size());
        if (::WSAWaitForMultipleEvents(count, events.data(), FALSE, limit_ms, FALSE) ==
            WSA_WAIT_FAILED) {
            iocp::fail(::WSAGetLastError(), "WSAWaitForMultipleEvents");
        }

        // [round]
        if (stop.is_set()) {
            return;
        }
        for (iocp::event_echo& c : connections) {
            if (iocp::is_signalled(c.event())) {
                c.complete();
            }
        }
        std::erase_if(connections, [](const iocp::event_echo& c) { return c.finished(); });
        if (a.in_flight && iocp::is_signalled(a.event.get())) {
            try {
                complete_accept(a, connections);
            } catch (const std::exception& problem) {
                accept_failed(a, problem); // one client less; the listener goes on
            }
        }
        // [/round]
    }
}
// [/loop]

} // namespace

int main(int argc, char** argv) {
    const auto options = iocp::parse_server_options(argc, argv, "06_accept_ex",
                                                    "accepting is an operation, too");
    try {
        const iocp::winsock winsock;
        const iocp::stop_signal stop;
        const iocp::address where{options.host, options.port};
        iocp::unique_socket listener = iocp::overlapped_socket(where.family());
        iocp::start_listening(listener.get(), where);
        acceptor a{std::move(listener), where};
        serve(a, stop);
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
