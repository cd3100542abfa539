#include "common/address.hpp"

#include "common/error.hpp"

#include <algorithm>
#include <cstring>

namespace iocp {

// sockaddr_storage is made to hold, and to be read as, the address of either family.
static_assert(sizeof(sockaddr_storage) >= sizeof(sockaddr_in6) &&
              alignof(sockaddr_storage) >= alignof(sockaddr_in6));

address::address(const std::string& host, std::uint16_t port) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(storage_);
    auto& v6 = reinterpret_cast<sockaddr_in6&>(storage_);
    if (::inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
        v4.sin_family = AF_INET;
        v4.sin_port = ::htons(port);
        length_ = sizeof v4;
    } else if (::inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1) {
        v6.sin6_family = AF_INET6;
        v6.sin6_port = ::htons(port);
        length_ = sizeof v6;
    } else {
        fail(WSAEAFNOSUPPORT, "inet_pton", host);
    }
}

address::address(const sockaddr* from, int length) noexcept
    : length_{std::min(length, static_cast<int>(sizeof storage_))} {
    std::memcpy(&storage_, from, static_cast<std::size_t>(length_));
}

std::string address::text() const {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage_);
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage_);
    const bool six = family() == AF_INET6;
    char host[INET6_ADDRSTRLEN] = "";
    if (::inet_ntop(family(), six ? static_cast<const void*>(&v6.sin6_addr) : &v4.sin_addr,
                    host, sizeof host) == nullptr) {
        fail(::WSAGetLastError(), "inet_ntop");
    }
    const std::string port = std::to_string(::ntohs(six ? v6.sin6_port : v4.sin_port));
    return six ? "[" + std::string{host} + "]:" + port : std::string{host} + ":" + port;
}

address local_address(SOCKET socket) {
    sockaddr_storage room{};
    int length = sizeof room;
    if (::getsockname(socket, reinterpret_cast<sockaddr*>(&room), &length) ==
        SOCKET_ERROR) {
        fail(::WSAGetLastError(), "getsockname");
    }
    return address{reinterpret_cast<const sockaddr*>(&room), length};
}

} // namespace iocp
