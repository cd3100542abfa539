// Chapter 01: blocking sockets. One client at a time, and the echo loop that every later
// chapter takes apart.

#include "common/command_line.hpp"
#include "common/error.hpp"

#include <winsock2.h>

#include <ws2tcpip.h>

#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

namespace {

// [close_and_fail]
// The socket that was opened has to be closed on every way out. From chapter 02 on a
// destructor does that.
[[noreturn]] void close_and_fail(SOCKET listener, int code, std::string_view call,
                                 std::string_view detail = {}) {
    if (::closesocket(listener) == SOCKET_ERROR) {
        iocp::report(::WSAGetLastError(), "closesocket");
    }
    iocp::fail(code, call, detail);
}
// [/close_and_fail]

// [listen]
SOCKET open_listener(const iocp::server_options& options) {
    // [address]
    const std::string where = options.host + ":" + std::to_string(options.port);

    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = ::htons(options.port); // ports travel in network byte order
    if (::inet_pton(AF_INET, options.host.c_str(), &address.sin_addr) != 1) {
        // An IPv6 address: chapter 02 takes those too.
        iocp::fail(WSAEAFNOSUPPORT, "inet_pton", where);
    }
    // [/address]

    // [bind]
    const SOCKET listener = ::socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    if (listener == INVALID_SOCKET) {
        iocp::fail(::WSAGetLastError(), "socket");
    }

    // Keeps the port for us alone: without it another program may be able to bind it, too,
    // and take our clients. SO_REUSEADDR, which Unix programs set here, says on Windows
    // that we are willing to share.
    const BOOL yes = TRUE;
    if (::setsockopt(listener, SOL_SOCKET, SO_EXCLUSIVEADDRUSE,
                     reinterpret_cast<const char*>(&yes), sizeof yes) == SOCKET_ERROR) {
        close_and_fail(listener, ::WSAGetLastError(), "setsockopt SO_EXCLUSIVEADDRUSE");
    }
    if (::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
        SOCKET_ERROR) {
        close_and_fail(listener, ::WSAGetLastError(), "bind", where);
    }
    if (::listen(listener, SOMAXCONN) == SOCKET_ERROR) {
        close_and_fail(listener, ::WSAGetLastError(), "listen", where);
    }
    // [/bind]

    // [announce]
    int length = sizeof address;
    if (::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) ==
        SOCKET_ERROR) {
        close_and_fail(listener, ::WSAGetLastError(), "getsockname");
    }
    std::printf("listening on %s:%u\n", options.host.c_str(),
                static_cast<unsigned>(::ntohs(address.sin_port)));
    std::fflush(stdout);
    return listener;
    // [/announce]
}
// [/listen]

// [echo]
void echo(SOCKET client) {
    char buffer[4096];
    for (;;) {
        const int received = ::recv(client, buffer, sizeof buffer, 0);
        if (received == SOCKET_ERROR) {
            // This client is lost; the next one is not.
            iocp::report(::WSAGetLastError(), "recv");
            return;
        }
        if (received == 0) {
            break; // the client has said all it had to say
        }
        // As many bytes as came in, not as many as the buffer holds. A blocking send on a
        // stream takes them all or fails; that it returns does not mean that they have
        // arrived.
        if (::send(client, buffer, received, 0) == SOCKET_ERROR) {
            iocp::report(::WSAGetLastError(), "send");
            return;
        }
    }
    // Now the client sees the end of the echo, too.
    if (::shutdown(client, SD_SEND) == SOCKET_ERROR) {
        iocp::report(::WSAGetLastError(), "shutdown");
    }
}
// [/echo]

// [serve]
[[noreturn]] void serve(SOCKET listener) {
    int last_failure = 0;
    for (;;) {
        // [take]
        const SOCKET client = ::accept(listener, nullptr, nullptr);
        if (client == INVALID_SOCKET) {
            const int code = ::WSAGetLastError();
            if (code == WSAECONNRESET) {
                continue; // this client left while it waited for its turn
            }
            // The system may be out of sockets: one line, and one try every 250 ms.
            if (std::exchange(last_failure, code) != code) {
                iocp::report(code, "accept");
            }
            ::Sleep(250);
            continue;
        }
        last_failure = 0;
        // [/take]

        // [no_delay]
        // Send small answers at once, and do not wait for more to put into the same packet
        // (Nagle's algorithm).
        const BOOL yes = TRUE;
        if (::setsockopt(client, IPPROTO_TCP, TCP_NODELAY,
                         reinterpret_cast<const char*>(&yes), sizeof yes) == SOCKET_ERROR) {
            iocp::report(::WSAGetLastError(), "setsockopt TCP_NODELAY");
        }
        // [/no_delay]

        echo(client); // until this client has left, every other client waits
        if (::closesocket(client) == SOCKET_ERROR) {
            iocp::report(::WSAGetLastError(), "closesocket");
        }
    }
}
// [/serve]

} // namespace

// [main]
int main(int argc, char** argv) {
    const auto options = iocp::parse_server_options(argc, argv, "01_blocking_sockets",
                                                    "one client at a time");
    // [winsock]
    WSADATA about{};
    // Returns its error: there is no "last" one yet.
    const int refused = ::WSAStartup(MAKEWORD(2, 2), &about);
    if (refused != 0) {
        iocp::report(refused, "WSAStartup");
        return 1;
    }
    // [/winsock]
    try {
        // For ever: in this chapter it is the system that handles Ctrl+C.
        serve(open_listener(options));
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
    }
    if (::WSACleanup() == SOCKET_ERROR) {
        iocp::report(::WSAGetLastError(), "WSACleanup");
    }
    return 1;
}
// [/main]
