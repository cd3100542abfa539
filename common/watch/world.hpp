#pragma once

#include "common/watch/check.hpp"
#include "common/watch/record.hpp"

#include <winsock2.h>

#include <windows.h>
#include <ws2tcpip.h>

#include <cstdint>
#include <map>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace iocp::watch {

/// A call on a socket that a thread has entered and not left.
struct inside {
    std::uint32_t thread = 0;
    const char* call = "";
    std::uint64_t operation = 0; ///< the one that it submits; 0 for a call without
};

/// \return whether the call sends on a stream
inline bool is_send(std::string_view call) {
    return call == "WSASend" || call == "send" || call == "TransmitFile";
}

/// An open socket, or a file or a pipe that was opened for overlapped operations.
struct socket_info {
    std::uint32_t number = 0;
    SOCKET handle = INVALID_SOCKET;
    std::uint32_t port = 0; ///< the completion port it was given to
    std::uint64_t key = 0;
    int type = 0; ///< SOCK_STREAM, SOCK_DGRAM …, file_handle; 0: not known
    bool skip_mode = false;
    bool seen = false; ///< from its birth, and no other process has it: nothing is known
                       ///< otherwise of its port and its modes
    const char* needs_context = nullptr; ///< the option that is to be set first: AcceptEx
                                         ///< has accepted it, or ConnectEx has connected it
    std::uint32_t accepts = 0;           ///< AcceptEx in flight on it
    bool accept_failed = false;          ///< the last that came back had failed
    std::uint64_t last_accepted = 0;     ///< when that was, in nanoseconds since the start
    std::uint64_t record_then = 0;       ///< the last record at that time
    bool untracked = false;              ///< its packets are dequeued inside the system
    bool has_sent = false;               ///< something was sent on it, or tried
    bool failed = false; ///< a call or an operation on it has, or was asked to end: the
                         ///< program knows that not all has arrived
    std::uint32_t cancels = 0; ///< threads that are inside CancelIoEx or CancelIo on it
    bool resets = false;   ///< SO_LINGER is on with 0 seconds: its close is meant to reset
    PTP_IO pool = nullptr; ///< what ties it to the system's thread pool
    std::vector<inside> threads{};
    call_stack made{};

    bool is_socket() const { return type >= 0; }

    /// A thread enters a call on it.
    void enter(const inside& call) {
        has_sent = has_sent || is_send(call.call);
        threads.push_back(call);
    }
};

/// A function's frame on a stack: the place of its return address, and that address. While
/// the function runs both are as they were; when it has returned the stack is shorter, or
/// the next call has put its own return address there.
struct frame_mark {
    const std::uintptr_t* place = nullptr;
    std::uintptr_t address = 0;
};

/// An overlapped operation, from just before its submit until its memory is back.
struct operation {
    std::uint64_t number = 0;
    const char* call = "";
    std::uint32_t socket = 0;
    SOCKET handle = INVALID_SOCKET; ///< the value that the socket had
    SOCKET accept_handle = INVALID_SOCKET;
    std::uint32_t accept_socket = 0;
    told_by told = told_by::nothing;
    OVERLAPPED* overlapped = nullptr;
    HANDLE event = nullptr;   ///< hEvent at the submit, low bit and all
    std::uint32_t port = 0;   ///< of the socket, at the submit
    std::uint64_t key = 0;    ///< of the socket, at the submit
    PTP_IO pool = nullptr;    ///< of the socket, at the submit
    bool socket_seen = false; ///< the socket was known from its birth
    std::uint32_t thread = 0;
    std::vector<lent_memory> memory{};
    LPWSAOVERLAPPED_COMPLETION_ROUTINE routine = nullptr;
    std::uint64_t sent_hash = 0; ///< of what a send lends, when that is asked for
    call_stack submitted{};
    frame_mark frame{}; ///< of the first function to return whose local variables are lent;
                        ///< null when none are
    std::uint32_t local_address_bytes = 0; ///< AcceptEx: the room for each address
    std::uint32_t remote_address_bytes = 0;
    int family = 0; ///< AcceptEx: of the listening socket
    bool signalled =
        false; ///< a wait has reported its event: the program knows that it has ended
    bool settled = false; ///< the system says that it has ended, and nobody need be told
    std::uint64_t status = 0;    ///< signalled or settled: what OVERLAPPED.Internal held
    std::uint32_t moved = 0;     ///< signalled or settled: how many bytes it moved
    bool returned = false;       ///< the call that submits it has returned
    ULONG_PTR status_before = 0; ///< what OVERLAPPED.Internal and InternalHigh held at the
    ULONG_PTR moved_before = 0;  ///< submit
    bool has_context = false;    ///< AcceptEx, ConnectEx: the program has waited for its
                                 ///< event, and has set the option that is to follow
    bool pending = false; ///< the system said so when it was last asked: Internal holds
                          ///< STATUS_PENDING
    bool gone = false; ///< some of its memory was freed under it: nothing there may be read
};

/// What OVERLAPPED.Internal holds until the operation has ended (STATUS_PENDING;
/// HasOverlappedIoCompleted compares with it).
inline constexpr ULONG_PTR still_pending = 0x103;

/// \return the event that tells of an operation's end, without the low bit, which says that
/// there is to be no packet; the socket itself, which is set as well, where there is none
HANDLE event_of(const operation& one);

/// Asks the system, which writes the end of an operation into its OVERLAPPED.
/// \return whether it is in flight at this moment; false as well where that memory is gone
bool is_pending(const operation& one);

/// A completion port.
struct port_info {
    std::uint32_t number = 0;
    std::uint32_t waiting = 0; ///< threads that wait on it
    std::uint32_t posted = 0;  ///< packets that the program has posted and nobody dequeued
};

/// A submit that no callback will come for, and that StartThreadpoolIo has announced.
struct uncancelled {
    std::uint32_t thread = 0;
    bool callback_over = false; ///< the callback that has made it has returned
    call_stack submitted{};
};

/// What ties a socket to the system's thread pool. It is known by its address, also when it
/// is closed: a callback may still come.
struct pool_io {
    std::uint32_t socket = 0;
    PTP_WIN32_IO_CALLBACK callback = nullptr; ///< the program's own
    std::uint32_t announced = 0; ///< Starts that no callback and no Cancel has used up
    std::uint32_t in_flight = 0; ///< operations whose callback is to come
    std::vector<uncancelled> not_to_come{};
    bool sure = true; ///< the two numbers are what the pool has, too
};

/// A thread that has made a call.
struct thread_info {
    std::uint32_t number = 0;
    std::uintptr_t stack_low = 0;
    std::uintptr_t stack_high = 0; ///< one past
};

/// An object that WSACreateEvent made and WSACloseEvent has not closed.
struct event_info {
    std::uint32_t number = 0;
    call_stack made{};
};

/// A packet that the program posted and nobody has dequeued yet.
struct posted_packet {
    std::uint32_t port = 0;
    std::uint64_t key = 0;
    std::uint32_t bytes = 0;
};

/// What is back already, and a packet of it may come all the same: a receive that has
/// failed at once because a datagram did not fit; and what the system was asked about, and
/// had ended, while another thread had its packet in hand.
struct late_packet {
    std::uint64_t operation = 0;
    const char* call = "";
    std::uint32_t socket = 0;
};

/// What is open, lent and under way in the program at this moment, as far as its calls show
/// it.
///
/// It is changed by the recorder alone, under the recorder's lock; rules read it.
class world {
public:
    std::unordered_map<SOCKET, socket_info> sockets;
    std::unordered_map<HANDLE, port_info> ports;
    std::unordered_map<HANDLE, event_info> events;
    std::unordered_map<PTP_IO, pool_io> pool_ios;
    std::unordered_map<DWORD, thread_info> threads;
    std::map<std::uint64_t, operation> operations; ///< in flight, by number
    std::unordered_multimap<const OVERLAPPED*, posted_packet> posted;
    std::unordered_map<const OVERLAPPED*, late_packet> late_packets;
    std::vector<SOCKET> deaf; ///< listening sockets whose last accept has failed, and that
                              ///< have none in flight

    /// \return the operation in flight that has this OVERLAPPED; null when there is none
    const operation* with(const OVERLAPPED* overlapped) const;

    /// \return the open socket of this handle value; null when there is none that the watch
    /// knows
    const socket_info* socket(SOCKET handle) const;

    /// \return the operations in flight that have lent some byte of [begin, end)
    std::vector<const operation*> touching(std::uintptr_t begin, std::uintptr_t end) const;

    /// \return whether a send is in flight on this socket
    bool sends_on(std::uint32_t socket) const;

    /// \return whether there is one; it takes no memory to find out
    bool is_lent(std::uintptr_t begin, std::uintptr_t end) const noexcept;

    /// \return whether an operation that is about to be submitted, and ends in the thread
    /// pool, was not announced by StartThreadpoolIo
    bool is_unannounced(const operation& next) const;

    /// \return whether a handle of this port is open, so that its packets can be dequeued
    bool is_open(std::uint32_t port) const;

    /// For the recorder: an operation goes into flight, and comes back.
    operation& lend(operation next);
    operation take_back(std::uint64_t number);

private:
    struct range {
        std::uintptr_t end;
        std::uint64_t operation;
    };

    template <typename Found>
    void each_range(std::uintptr_t begin, std::uintptr_t end, Found found) const;

    std::unordered_map<const OVERLAPPED*, std::uint64_t> by_overlapped_;
    std::multimap<std::uintptr_t, range> ranges_; ///< by their first byte
    std::size_t longest_ = 0;                     ///< no range is longer
};

} // namespace iocp::watch
