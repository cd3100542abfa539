#include "common/stop_signal.hpp"

#include "common/error.hpp"

#include <atomic>

namespace iocp {
namespace {

// The handler gets no pointer of ours, so what it signals has to be found from here.
std::atomic<WSAEVENT> stop_event{nullptr};

BOOL WINAPI on_console_event(DWORD event) {
    if (event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT) {
        return FALSE;
    }
    const WSAEVENT target = stop_event;
    return target != nullptr && ::WSASetEvent(target);
}

} // namespace

stop_signal::stop_signal() : event_{::WSACreateEvent()} {
    if (!event_) {
        fail(::WSAGetLastError(), "WSACreateEvent");
    }
    stop_event = event_.get();
    if (!::SetConsoleCtrlHandler(on_console_event, TRUE)) {
        fail(::GetLastError(), "SetConsoleCtrlHandler");
    }
}

stop_signal::~stop_signal() {
    stop_event = nullptr; // a Ctrl+C from here on ends the program in the system's way
    if (!::SetConsoleCtrlHandler(on_console_event, FALSE)) {
        report(::GetLastError(), "SetConsoleCtrlHandler");
    }
}

bool stop_signal::is_set() const {
    return wait(0);
}

bool stop_signal::wait(DWORD milliseconds) const {
    const WSAEVENT event = event_.get();
    const DWORD outcome = ::WSAWaitForMultipleEvents(1, &event, FALSE, milliseconds, FALSE);
    if (outcome == WSA_WAIT_FAILED) {
        fail(::WSAGetLastError(), "WSAWaitForMultipleEvents");
    }
    return outcome == WSA_WAIT_EVENT_0;
}

} // namespace iocp
