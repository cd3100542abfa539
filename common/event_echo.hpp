#pragma once
/// \file
/// One client, echoed by overlapped operations that signal an event. Chapter 05 shows all
/// of it raw.

#include "common/event.hpp"
#include "common/unique.hpp"

#include <winsock2.h>

#include <string_view>
#include <utility>

namespace iocp {

/// A connection with one operation in flight at a time: a receive, the send of what came,
/// the next receive.
///
/// The system writes to this object while an operation is in flight, so it is neither
/// copied nor moved, and its destructor closes the socket and waits until the memory is
/// back.
class event_echo {
public:
    static constexpr ULONG buffer_size = 4096;

    /// Takes the socket over. Nothing is in flight yet.
    /// \throws call_error when the system has no event left
    explicit event_echo(unique_socket accepted)
        : socket_{std::move(accepted)}, event_{make_event()} {}
    ~event_echo();
    event_echo(const event_echo&) = delete;
    event_echo& operator=(const event_echo&) = delete;

    /// Submits the first operation: the send of \p first_data (buffer_size bytes at most),
    /// or a receive if there is none. A failure is reported and ends the connection.
    void start(std::string_view first_data = {}) noexcept;

    /// To be called when event() is signalled: reads the result and submits the next
    /// operation. A failure is reported and ends the connection.
    void complete() noexcept;

    /// Signalled when the operation in flight has ended.
    WSAEVENT event() const noexcept { return event_.get(); }

    /// Nothing is in flight, and nothing will be.
    bool finished() const noexcept { return finished_; }

private:
    void prepare();
    void check_submitted(int returned, const char* call);
    void receive();
    void send_rest();
    void next();

    unique_socket socket_;
    unique_event event_;
    WSAOVERLAPPED overlapped_{};
    char buffer_[buffer_size];
    ULONG begin_ = 0; // received and not yet sent: buffer_[begin_, end_)
    ULONG end_ = 0;
    bool in_flight_ = false;
    bool receiving_ = false;
    bool finished_ = false;
};

} // namespace iocp
