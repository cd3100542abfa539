#pragma once
/// \file
/// Faults: calls that fail because a test wants it, in the real program of a chapter.
///
/// Every chapter has a second program for its tests, NN_name_faulty.exe: the same objects, linked with this folder. It
/// reads from the environment which calls are to fail:
///
///     IOCP_FAULTS=accept:10024:2-5        the 2nd to the 5th call of accept fail with 10024
///     IOCP_FAULTS=WSARecv:10055:1-        each call of WSARecv fails with 10055
///     IOCP_FAULTS=AcceptEx:10055:3-/10    the 3rd fails, the 13th, the 23rd ...
///     IOCP_FAULTS=new:4096:1              the first allocation of 4096 bytes or more throws std::bad_alloc
///     IOCP_FAULTS=closesocket:hang:1      the first call of closesocket never comes back
///     IOCP_FAULTS=accept:10024:1-3@       counted only while the test has switched the faults on
///     IOCP_FAULTS=accept:10024:1-0        none fails; the calls are counted
///     IOCP_FAULTS=accept:10024:2 new:1:7@ several rules, with spaces between them, max_rules at most
///
/// A test makes a support::faulty_server (tests/support/faulty_server.hpp), which can also switch the faults on and off
/// and sees how many there were.
///
/// What can fail. A function fails before anything has happened: the system's own is not called.
///   accept, AcceptEx, ConnectEx, socket, WSASocketW, closesocket, WSAEventSelect, WSACreateEvent,
///   WSAEnumNetworkEvents, WSAWaitForMultipleEvents, WSAGetOverlappedResult, WSAPoll, select, recv, send, WSARecv,
///   WSASend, WSARecvFrom, shutdown, setsockopt, WSACleanup, CreateIoCompletionPort, PostQueuedCompletionStatus,
///   GetQueuedCompletionStatus, GetQueuedCompletionStatusEx, SetFileCompletionNotificationModes,
///   SetConsoleCtrlHandler, SIO_TCP_INITIAL_RTO (WSAIoctl)
///   thread: std::thread finds no thread (_beginthreadex); the code is for show
///   new: operator new in all its forms, and so whatever the standard library allocates, for the code stands the least
///        size. A thread's start, an exception and stdio use malloc, which never fails here.
/// Operations that end with a failure: the call says 997, nothing is submitted, and a packet on the port that was used
/// last tells the code. For programs that dequeue by GetQueuedCompletionStatus.
///   ConnectEx_ends, WSARecvFrom_ends
/// Calls that come out differently:
///   select_says_ready: select says that all it was asked about is ready, though it is not; the code is for show
///   accept_arms_nothing: accept fails and sets no event again, as Wine 8 does it
///   getaddrinfo_finds_two: getaddrinfo finds ::1 before what the name has; the code is for show
/// and, always, what Microsoft asks for and Wine does not:
///   WSAPoll fails with 10022 when an entry asks for no event; inet_pton fails with 10093 before WSAStartup;
///   after an accept that was made to fail the event of WSAEventSelect is set again, for the client is still there.
///
/// GetQueuedCompletionStatus with a code of its own fails as a dequeue fails, without a packet. What is in flight comes
/// back as the system has it: but for the two that end, a rule makes a submit fail at once, never a completion.

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace faults {

/// How many rules one program takes.
inline constexpr std::size_t max_rules = 8;

/// What the program and its test share: a file mapping with this name and the program's process id behind it.
inline constexpr char shared_name[] = "Local\\iocp_faults_";

/// Begins as zeros.
struct shared_state {
    std::atomic<std::uint32_t> on; ///< rules that end with @ count while this is not 0

    struct rule {
        std::atomic<std::uint32_t> calls; ///< that the rule has counted
        std::atomic<std::uint32_t> faults;
    };
    rule rules[max_rules]; ///< in the order of IOCP_FAULTS
};

static_assert(std::atomic<std::uint32_t>::is_always_lock_free, "two processes share them");

} // namespace faults
