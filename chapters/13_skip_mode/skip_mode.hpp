#pragma once
// skip_mode.hpp: no packet for an operation that succeeds at once.

#include "common/error.hpp"

#include <winsock2.h>

// [skip_mode]
// Returns whether the socket is in skip mode now. An error is reported; the connection goes
// on with a packet for everything.
inline bool turn_on_skip_mode(SOCKET socket) noexcept {
    WSAPROTOCOL_INFOW about{};
    int length = sizeof about;
    if (::getsockopt(socket, SOL_SOCKET, SO_PROTOCOL_INFOW, reinterpret_cast<char*>(&about),
                     &length) == SOCKET_ERROR) {
        iocp::report(::WSAGetLastError(), "getsockopt SO_PROTOCOL_INFOW");
        return false;
    }
    if ((about.dwServiceFlags1 & XP1_IFS_HANDLES) == 0) {
        return false; // some other provider stands between us and the system
    }
    // FILE_SKIP_SET_EVENT_ON_HANDLE: nor is the event in the file object set, which nobody
    // waits for.
    if (!::SetFileCompletionNotificationModes(reinterpret_cast<HANDLE>(socket),
                                              FILE_SKIP_COMPLETION_PORT_ON_SUCCESS |
                                                  FILE_SKIP_SET_EVENT_ON_HANDLE)) {
        iocp::report(::GetLastError(), "SetFileCompletionNotificationModes");
        return false;
    }
    return true;
}
// [/skip_mode]
