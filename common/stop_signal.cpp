#include "common/stop_signal.hpp"

#include "common/error.hpp"

#include <mutex>
#include <utility>

namespace iocp {
namespace {

// The handler gets no pointer of ours, so what it signals has to be found from here. It
// runs on a thread of the system's, perhaps while the event is being closed: hence the
// lock.
std::mutex guard;
WSAEVENT stop_event = nullptr; // null: there is no stop_signal
bool asked_before = false;

BOOL WINAPI on_console_event(DWORD event) {
    if (event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT) {
        return FALSE;
    }
    const std::lock_guard lock{guard};
    if (stop_event == nullptr || std::exchange(asked_before, true)) {
        return FALSE; // the system ends the program at once
    }
    return ::WSASetEvent(stop_event);
}

void signal_this(WSAEVENT event) {
    const std::lock_guard lock{guard};
    stop_event = event;
    asked_before = false;
}

} // namespace

stop_signal::stop_signal() : event_{::WSACreateEvent()} {
    if (!event_) {
        fail(::WSAGetLastError(), "WSACreateEvent");
    }
    signal_this(event_.get());
    if (!::SetConsoleCtrlHandler(on_console_event, TRUE)) {
        const DWORD code = ::GetLastError();
        signal_this(nullptr); // the event goes with the exception
        fail(code, "SetConsoleCtrlHandler");
    }
}

stop_signal::~stop_signal() {
    signal_this(nullptr); // a Ctrl+C from here on ends the program in the system's way
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
