#pragma once

#include "common/address.hpp"
#include "common/overlapped_socket.hpp"
#include "common/unique.hpp"

#include <winsock2.h>

#include <doctest/doctest.h>

namespace support {

/// Two sockets that are connected with each other, for tests of single calls: `ours` was accepted, `theirs` has
/// connected.
inline void connect_over_loopback(iocp::unique_socket& ours, iocp::unique_socket& theirs) {
    const iocp::unique_socket listener = iocp::overlapped_socket(AF_INET);
    const iocp::address any{"127.0.0.1", 0};
    REQUIRE(::bind(listener.get(), any.get(), any.length()) == 0);
    REQUIRE(::listen(listener.get(), 1) == 0);
    const iocp::address where = iocp::local_address(listener.get());
    theirs = iocp::overlapped_socket(AF_INET);
    REQUIRE(::connect(theirs.get(), where.get(), where.length()) == 0);
    ours.reset(::accept(listener.get(), nullptr, nullptr));
    REQUIRE(ours);
}

} // namespace support
