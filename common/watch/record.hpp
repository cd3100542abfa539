#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace iocp::watch {

/// What a record tells of. The names in a trace are the same.
enum class record_kind {
    start,      ///< the watch is in place
    thread,     ///< a thread is seen for the first time
    thread_end, ///< a thread has ended
    socket,     ///< a socket was made
    close,      ///< a socket was closed
    port,       ///< a completion port was made
    close_port, ///< a completion port was closed
    associate,  ///< a socket was given to a port
    skip_mode,  ///< a socket queues no packet for an immediate success from now on
    call,       ///< a call without an overlapped operation has returned
    submit,   ///< an overlapped operation is about to be submitted: its memory is lent from
              ///< here on
    returned, ///< the call that submitted it has returned
    packet,   ///< a completion packet was dequeued
    result,   ///< the result of an operation was asked for
    routine,  ///< a completion routine is entered, or a callback of the thread pool
    wait_failed,  ///< a wait for a packet has ended without one
    post,         ///< PostQueuedCompletionStatus
    cancel,       ///< CancelIoEx or CancelIo
    event_object, ///< a WSA event was made
    close_event,  ///< a WSA event was closed
    end           ///< the program has come to its end
};

/// Stands for a family of addresses, and for a type of socket, where a handle is that of a
/// file: files and named pipes are followed as sockets are.
inline constexpr int file_handle = -1;
/// The same for a named pipe.
inline constexpr int pipe_handle = -2;

/// How a call ended.
enum class outcome { none, ok, immediate, pending, failed, incomplete };

/// How a program is told of the end of an operation.
enum class told_by { nothing, port, event, routine, pool };

/// Memory that an operation lends to the system.
struct lent_memory {
    std::uintptr_t address = 0;
    std::size_t bytes = 0;
    bool overlapped = false; ///< the OVERLAPPED itself, not a buffer
    bool written = false;    ///< the system writes to it; a buffer to be sent is only read
    const char* part = nullptr; ///< what it is besides these two, for people; a literal
};

/// One thing that happened. Which members count depends on the kind; numbers begin at 1,
/// and 0 means none.
///
/// It owns all that it names and may be kept for any time.
struct record {
    record_kind kind = record_kind::call;
    std::uint64_t number = 0;      ///< the order in which things were recorded
    std::uint64_t nanoseconds = 0; ///< since the start
    std::uint64_t began = 0;  ///< call: when it was entered, in nanoseconds since the start
    std::uint32_t thread = 0; ///< in the order of first appearance
    std::uint32_t os_thread = 0; ///< thread: the system's number of it
    const char* call = "";       ///< the function's name, a literal
    std::uint32_t socket = 0;
    std::uint32_t accept_socket =
        0; ///< submit of AcceptEx: the socket that is to be the connection
    std::uint32_t port = 0;
    std::uint32_t object = 0; ///< event objects
    std::uint64_t operation = 0;
    told_by told = told_by::nothing; ///< submit, routine
    outcome result = outcome::none;
    std::uint32_t error = 0;              ///< the system's code, when failed
    std::uint32_t bytes = 0;              ///< transferred, posted, or unread at a close
    std::uint64_t key = 0;                ///< completion key
    std::optional<std::uint32_t> asked{}; ///< cancel: how many operations, where it is not
                                          ///< one, nor all of the socket
    std::uintptr_t overlapped = 0;
    std::uint64_t dequeues = 0;        ///< end: calls that have asked ports for packets
    bool posted = false;               ///< packet: the program posted it itself
    bool back = false;                 ///< the operation's memory is the program's again
    bool lent = false;                 ///< cancel: what was asked to end has not yet
    int family = 0;                    ///< socket: AF_INET, AF_INET6, file_handle …
    std::vector<lent_memory> memory{}; ///< submit: what is lent; with `back`: what is back
    std::string text{};                ///< start: the program's path
};

} // namespace iocp::watch
