#pragma once
/// \file
/// Events as chapter 04 uses them.

#include "common/error.hpp"
#include "common/unique.hpp"

#include <winsock2.h>

namespace iocp {

/// A manual-reset event, not signalled.
/// \throws call_error when the system has none to give
inline unique_event make_event() {
    unique_event event{::WSACreateEvent()};
    if (!event) {
        fail(::WSAGetLastError(), "WSACreateEvent");
    }
    return event;
}

/// Looks at an event and does not wait.
/// \throws call_error when \p event is not an event
inline bool is_signalled(WSAEVENT event) {
    const DWORD outcome = ::WSAWaitForMultipleEvents(1, &event, FALSE, 0, FALSE);
    if (outcome == WSA_WAIT_FAILED) {
        fail(::WSAGetLastError(), "WSAWaitForMultipleEvents");
    }
    return outcome == WSA_WAIT_EVENT_0;
}

} // namespace iocp
