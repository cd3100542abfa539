#pragma once
/// \file
/// Socket addresses of both families, from text and to text.

#include <winsock2.h>

#include <ws2tcpip.h>

#include <cstdint>
#include <string>

namespace iocp {

/// An IPv4 or IPv6 address with its port.
class address {
public:
    /// From a numeric host and a port.
    /// \throws call_error when \p host is neither an IPv4 nor an IPv6 address
    address(const std::string& host, std::uint16_t port);

    /// A copy of what the system wrote.
    address(const sockaddr* from, int length) noexcept;

    int family() const noexcept { return storage_.ss_family; }
    const sockaddr* get() const noexcept {
        return reinterpret_cast<const sockaddr*>(&storage_);
    }
    int length() const noexcept { return length_; }

    /// `127.0.0.1:6000`, `[::1]:6000`
    std::string text() const;

private:
    sockaddr_storage storage_{};
    int length_ = 0;
};

/// The address a socket is bound to: how a program that asked for port 0 learns which one
/// it got.
///
/// \throws call_error when getsockname fails
address local_address(SOCKET socket);

} // namespace iocp
