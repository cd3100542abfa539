#pragma once
/// \file
/// Ctrl+C and Ctrl+Break as an event to wait for (chapter 02 shows the handler raw).

#include "common/unique.hpp"

namespace iocp {

/// Turns Ctrl+C and Ctrl+Break into an event that stays signalled. The second time one of
/// them is pressed the system ends the program at once. One object at a time, in main().
class stop_signal {
public:
    /// \throws call_error when the event or the handler cannot be had
    stop_signal();
    ~stop_signal();
    stop_signal(const stop_signal&) = delete;
    stop_signal& operator=(const stop_signal&) = delete;

    /// For an array of handles to wait for. It is a manual-reset event: all waiters see it,
    /// until the end.
    WSAEVENT event() const noexcept { return event_.get(); }

    /// Has it been asked for?
    bool is_set() const;

    /// Waits until it is asked for, or for \p milliseconds.
    /// \return whether it has been asked for
    /// \throws call_error
    bool wait(DWORD milliseconds = INFINITE) const;

private:
    unique_event event_;
};

} // namespace iocp
