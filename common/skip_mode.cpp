#include "common/skip_mode.hpp"

#include "common/error.hpp"

namespace iocp {

bool turn_on_skip_mode(SOCKET socket) noexcept {
    WSAPROTOCOL_INFOW about{};
    int length = sizeof about;
    if (::getsockopt(socket, SOL_SOCKET, SO_PROTOCOL_INFOW, reinterpret_cast<char*>(&about),
                     &length) == SOCKET_ERROR) {
        report(::WSAGetLastError(), "getsockopt SO_PROTOCOL_INFOW");
        return false;
    }
    if ((about.dwServiceFlags1 & XP1_IFS_HANDLES) == 0) {
        return false;
    }
    if (!::SetFileCompletionNotificationModes(reinterpret_cast<HANDLE>(socket),
                                              FILE_SKIP_COMPLETION_PORT_ON_SUCCESS |
                                                  FILE_SKIP_SET_EVENT_ON_HANDLE)) {
        report(::GetLastError(), "SetFileCompletionNotificationModes");
        return false;
    }
    return true;
}

} // namespace iocp
