#include "common/listener.hpp"

#include "common/error.hpp"

#include <cstdio>

namespace iocp {

void start_listening(SOCKET socket, const address& where) {
    const BOOL yes = TRUE;
    if (::setsockopt(socket, SOL_SOCKET, SO_EXCLUSIVEADDRUSE,
                     reinterpret_cast<const char*>(&yes), sizeof yes) == SOCKET_ERROR) {
        fail(::WSAGetLastError(), "setsockopt SO_EXCLUSIVEADDRUSE");
    }
    const std::string text = where.text();
    if (::bind(socket, where.get(), where.length()) == SOCKET_ERROR) {
        fail(::WSAGetLastError(), "bind", text);
    }
    if (::listen(socket, SOMAXCONN) == SOCKET_ERROR) {
        fail(::WSAGetLastError(), "listen", text);
    }
    std::printf("listening on %s\n", local_address(socket).text().c_str());
    std::fflush(stdout);
}

void send_without_delay(SOCKET socket) noexcept {
    const BOOL yes = TRUE;
    if (::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, reinterpret_cast<const char*>(&yes),
                     sizeof yes) == SOCKET_ERROR) {
        report(::WSAGetLastError(), "setsockopt TCP_NODELAY");
    }
}

} // namespace iocp
