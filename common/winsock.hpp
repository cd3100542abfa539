#pragma once
/// \file
/// The start and the end of Winsock (chapter 01 shows both calls raw).

#include "common/error.hpp"

#include <winsock2.h>

namespace iocp {

/// Winsock is ready while an object of this class lives. Make one before any socket and let
/// it go after the last.
class winsock {
public:
    /// \throws call_error when there is no Winsock 2.2
    winsock() {
        WSADATA about{};
        const int refused = ::WSAStartup(MAKEWORD(2, 2), &about);
        if (refused != 0) {
            fail(refused, "WSAStartup");
        }
    }
    ~winsock() {
        if (::WSACleanup() == SOCKET_ERROR) {
            report(::WSAGetLastError(), "WSACleanup");
        }
    }
    winsock(const winsock&) = delete;
    winsock& operator=(const winsock&) = delete;
};

} // namespace iocp
