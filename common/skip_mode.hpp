#pragma once
/// \file
/// Skip mode for a socket, as chapter 13 turns it on.

#include <winsock2.h>

namespace iocp {

/// Asks that an operation which succeeds at once queues no packet
/// (FILE_SKIP_COMPLETION_PORT_ON_SUCCESS).
/// \return whether it is so now. It is not if a layered provider stands between (no
/// XP1_IFS_HANDLES), nor after an error, which is reported
/// \see SetFileCompletionNotificationModes
bool turn_on_skip_mode(SOCKET socket) noexcept;

} // namespace iocp
