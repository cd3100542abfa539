#pragma once
/// \file
/// The two uses of CreateIoCompletionPort, and what a dequeue gives, as chapters 07 and 08
/// show them.

#include "common/error.hpp"
#include "common/operation.hpp"
#include "common/unique.hpp"

#include <winsock2.h>

#include <windows.h>

namespace iocp {

/// A new port with no handle associated with it.
/// \param concurrency how many workers the system lets run at once; 0: as many as there are
/// processors
/// \throws call_error
inline unique_handle make_port(DWORD concurrency) {
    unique_handle port{
        ::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, concurrency)};
    if (!port) {
        fail(::GetLastError(), "CreateIoCompletionPort");
    }
    return port;
}

/// Associates a socket with a port, for as long as the socket is open: the ends of its
/// operations become packets there.
///
/// \param key handed out with each of these packets; not needed where the OVERLAPPED does
///
/// \throws call_error
inline void associate(SOCKET socket, const unique_handle& port, ULONG_PTR key = 0) {
    if (::CreateIoCompletionPort(reinterpret_cast<HANDLE>(socket), port.get(), key, 0) ==
        nullptr) {
        fail(::GetLastError(), "CreateIoCompletionPort");
    }
}

/// What GetQueuedCompletionStatus gave.
struct packet {
    OVERLAPPED* overlapped =
        nullptr; ///< what has ended; null: a packet of our own, or none
    ULONG_PTR key = 0;
    result ended; ///< of the operation if there is one, else of the wait (258: timed out,
                  ///< 735: the port is gone)
};

/// Takes one packet from a port.
/// \param milliseconds how long to wait for one; INFINITE or 0 are fine
inline packet dequeue(const unique_handle& port, DWORD milliseconds) noexcept {
    packet taken;
    if (!::GetQueuedCompletionStatus(port.get(), &taken.ended.bytes, &taken.key,
                                     &taken.overlapped, milliseconds)) {
        taken.ended.error = ::GetLastError();
    }
    return taken;
}

} // namespace iocp
