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

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <list>
#include <string_view>
#include <utility>
#include <vector>

namespace {

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
// AcceptEx writes both addresses behind the received bytes, each with 16 bytes more than
// the address itself needs.
constexpr DWORD address_room = sizeof(sockaddr_in6) + 16;
constexpr DWORD first_data_room = iocp::event_echo::buffer_size;

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
    DWORD receive_length =
        0; // 0: complete when a client connects; more: not before it has sent something
    iocp::unique_socket socket; // the one that is to be connected
    WSAOVERLAPPED overlapped{};
    char block[first_data_room + 2 * address_room];
    bool in_flight = false;
};

// [acceptor_end]
acceptor::~acceptor() {
    iocp::cancel_and_close(
        listener); // the operation was started on the listener: closing that ends it
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
    DWORD bytes =
        0; // ours to read only if the call completes at once, so a local variable serves
    a.in_flight = true;
    // lent: a.overlapped, a.block, a.socket -> kernel until WSAGetOverlappedResult gives a
    // result that is not 996
    if (!a.AcceptEx(a.listener.get(), a.socket.get(), a.block, a.receive_length,
                    address_room, address_room, &bytes, &a.overlapped)) {
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
    // Asked of the listener, which started the operation, and not of the socket that was
    // accepted.
    const BOOL good =
        ::WSAGetOverlappedResult(a.listener.get(), &a.overlapped, &bytes, FALSE, &flags);
    const int code = good ? 0 : ::WSAGetLastError();
    if (code == WSA_IO_INCOMPLETE) {
        return;
    }
    a.in_flight = false;
    // back: a.overlapped, a.block, a.socket
    if (code != 0) {
        iocp::fail(code, "AcceptEx"); // the client has reset the connection, or we have
                                      // closed it: one client less
    }
    // [/accept_result]

    // [update_context]
    // The accepted socket does not know yet what it is: this gives it the properties of the
    // listener. Without it shutdown, getsockname and getpeername fail. The value is the
    // listening socket itself.
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
    a.GetAcceptExSockaddrs(a.block, a.receive_length, address_room, address_room, &local,
                           &local_length, &remote, &remote_length);
    std::printf("accepted %s\n", iocp::address{remote, remote_length}.text().c_str());
    std::fflush(stdout);

    iocp::send_without_delay(a.socket.get());
    connections.emplace_back(std::move(a.socket))
        .start({a.block, bytes}); // copies: the block is soon lent again
    // [/addresses]
}
// [/complete_accept]

// [patience]
// With a receive length AcceptEx waits for the first byte. SO_CONNECT_TIME tells for how
// many seconds the socket has been connected all the same; closing it ends the operation,
// and the next client can come.
void end_silence(acceptor& a, unsigned patience_s) {
    if (!a.in_flight || !a.socket) {
        return;
    }
    DWORD connected_s = 0;
    int length = sizeof connected_s;
    if (::getsockopt(a.socket.get(), SOL_SOCKET, SO_CONNECT_TIME,
                     reinterpret_cast<char*>(&connected_s), &length) == SOCKET_ERROR) {
        iocp::fail(::WSAGetLastError(), "getsockopt SO_CONNECT_TIME");
    }
    constexpr DWORD not_connected = 0xFFFF'FFFF;
    if (connected_s != not_connected && connected_s >= patience_s) {
        a.socket.reset();
    }
}
// [/patience]

// [loop]
struct accept_options {
    bool first_data = false; // AcceptEx with a receive length
    unsigned patience_s = 0; // 0: a silent client may hold the accept for ever
};

void serve(acceptor& a, const accept_options& options, const iocp::stop_signal& stop) {
    a.receive_length = options.first_data ? first_data_room : 0;
    std::list<iocp::event_echo> connections; // a list: its elements never move
    std::vector<WSAEVENT> events;
    for (;;) {
        // [arm]
        if (!a.in_flight && connections.size() < max_clients) {
            try {
                submit_accept(a);
            } catch (const iocp::call_error& problem) {
                std::fprintf(stderr, "%s\n",
                             problem.what()); // tried again after the next wait
            }
        }
        // [/arm]
        events.assign(1, stop.event());
        if (a.in_flight) {
            events.push_back(
                a.event.get()); // not else: it still tells of the accept before
        }
        for (const iocp::event_echo& c : connections) {
            events.push_back(c.event());
        }
        const bool unarmed = !a.in_flight && connections.size() < max_clients;
        const bool ticking = unarmed || (options.first_data && options.patience_s != 0);
        const DWORD count = static_cast<DWORD>(events.size());
        if (::WSAWaitForMultipleEvents(count, events.data(), FALSE,
                                       ticking ? 250 : WSA_INFINITE,
                                       FALSE) == WSA_WAIT_FAILED) {
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
        try {
            if (a.in_flight && iocp::is_signalled(a.event.get())) {
                complete_accept(a, connections);
            } else if (ticking && options.patience_s != 0) {
                end_silence(a, options.patience_s);
            }
        } catch (const iocp::call_error& problem) {
            std::fprintf(stderr, "%s\n",
                         problem.what()); // one client less; the listener goes on
        }
        // [/round]
    }
}
// [/loop]

} // namespace

int main(int argc, char** argv) {
    iocp::server_options options;
    accept_options accepting;
    iocp::command_line{"06_accept_ex", "accepting is an operation, too"}
        .server(options)
        .flag("--first-data", accepting.first_data,
              "AcceptEx waits for the first bytes of each client")
        .number("--patience", accepting.patience_s, 0, 3600,
                "with --first-data: seconds that a silent client may hold the accept; 0 is "
                "for ever")
        .parse(argc, argv);
    try {
        const iocp::winsock winsock;
        const iocp::stop_signal stop;
        const iocp::address where{options.host, options.port};
        iocp::unique_socket listener = iocp::overlapped_socket(where.family());
        iocp::start_listening(listener.get(), where);
        acceptor a{std::move(listener), where};
        serve(a, accepting, stop);
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
