#pragma once
/// \file
/// For the programs about datagrams: a socket of ours on a port, and one that sends to it.

#include "pair.hpp"

#include <winsock2.h>

#include <ws2tcpip.h>

#include <string_view>

namespace programs {

/// A socket for datagrams on a free port of the loopback address.
inline iocp::unique_socket datagram_socket() {
    iocp::unique_socket made{
        ::WSASocketW(AF_INET, SOCK_DGRAM, IPPROTO_UDP, nullptr, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT)};
    check(static_cast<bool>(made), "WSASocketW");
    const iocp::address any{"127.0.0.1", 0};
    check(::bind(made.get(), any.get(), any.length()) == 0, "bind");
    return made;
}

/// The two, and the port that ours is associated with.
struct datagram_sockets {
    datagram_sockets() { iocp::associate(ours.get(), port); }

    /// Sends a datagram to ours. On loopback it is there when this returns.
    void say(std::string_view words) const {
        const iocp::address where = iocp::local_address(ours.get());
        const int length = static_cast<int>(words.size());
        check(::sendto(theirs.get(), words.data(), length, 0, where.get(), where.length()) == length, "sendto");
    }

    iocp::unique_handle port = iocp::make_port(0);
    iocp::unique_socket ours = datagram_socket();
    iocp::unique_socket theirs = datagram_socket();
};

} // namespace programs
