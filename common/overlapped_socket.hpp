#pragma once
/// \file
/// A socket for overlapped operations, as chapter 05 makes one.

#include "common/error.hpp"
#include "common/unique.hpp"

#include <winsock2.h>

namespace iocp {

/// A TCP socket for overlapped operations that child processes do not inherit.
/// \param family AF_INET or AF_INET6
/// \throws call_error when the system has none to give
inline unique_socket overlapped_socket(int family) {
    unique_socket socket{
        ::WSASocketW(family, SOCK_STREAM, IPPROTO_TCP, nullptr, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT)};
    if (!socket) {
        fail(::WSAGetLastError(), "WSASocketW");
    }
    return socket;
}

} // namespace iocp
