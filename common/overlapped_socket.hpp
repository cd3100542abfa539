#pragma once
/// \file
/// A socket for overlapped operations, as chapter 05 makes one, and its end.

#include "common/error.hpp"
#include "common/unique.hpp"

#include <winsock2.h>

namespace iocp {

/// A TCP socket for overlapped operations that child processes do not inherit.
/// \param family AF_INET or AF_INET6
/// \throws call_error when the system has none to give
inline unique_socket overlapped_socket(int family) {
    unique_socket socket{::WSASocketW(family, SOCK_STREAM, IPPROTO_TCP, nullptr, 0,
                                      WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT)};
    if (!socket) {
        fail(::WSAGetLastError(), "WSASocketW");
    }
    return socket;
}

// [cancel_and_close]
/// Closes a socket, which ends what is in flight on it. The memory is still lent: it is
/// back when the event is set or the packet dequeued.
///
/// closesocket is what ends the operations. CancelIoEx stands before it for one case: a
/// send that is stuck because the client does not read. Under Wine 8 closesocket does not
/// end it, and libuv (#3036) cancels first as well. Microsoft leaves undefined what a
/// socket does that is used on after a cancel ("Overlapped I/O and Event Objects"), so this
/// is the only call of CancelIoEx in the chapters, and the close follows at once. The
/// client may see a reset.
inline void cancel_and_close(unique_socket& socket) noexcept {
    if (socket && !::CancelIoEx(reinterpret_cast<HANDLE>(socket.get()), nullptr)) {
        const DWORD code = ::GetLastError();
        if (code != ERROR_NOT_FOUND) { // 1168: nothing was in flight
            report(code, "CancelIoEx");
        }
    }
    socket.reset();
}
// [/cancel_and_close]

} // namespace iocp
