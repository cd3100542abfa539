#pragma once
/// \file
/// What the small programs of this folder share, so that each of them holds little more than its mistake. Nothing in
/// here breaks a rule.

#include "common/address.hpp"
#include "common/port.hpp"
#include "common/unique.hpp"

#include <winsock2.h>

#include <windows.h>

#include <cstddef>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

namespace programs {

/// How long a program waits for what must come. Nothing is measured with it: it only ends a program that would hang.
inline constexpr DWORD patience_ms = 5000;

/// A socket that listens on a free port of the loopback address.
struct listener {
    /// \param family AF_INET or AF_INET6
    explicit listener(int family);
    ~listener();

    listener(const listener&) = delete;
    listener& operator=(const listener&) = delete;

    /// A new socket that is connected to this listener. The caller closes it.
    SOCKET connect() const;

    SOCKET socket;
    iocp::address where;
};

/// Two sockets of this program that are connected to each other, both for overlapped operations. A blocking call on
/// them fails when it takes longer than patience_ms. Each that has not been set to INVALID_SOCKET is reset at the end.
struct pair {
    pair();
    ~pair();

    pair(const pair&) = delete;
    pair& operator=(const pair&) = delete;

    SOCKET ours;
    SOCKET theirs;
};

/// Ends the program with status 1 when a call has failed.
/// \param good whether it went well; otherwise its error code is still the last one
void check(bool good, const char* call);

/// The same for a call that submits an overlapped operation: it may have ended at once, or be pending.
/// \param returned what WSARecv or WSASend returned
void check_submitted(int returned, const char* call);

/// A new port, and `sockets.ours` tied to it.
iocp::unique_handle port_of(const pair& sockets);

/// Waits for the packet of an operation, whether that has succeeded or not.
OVERLAPPED* dequeue(const iocp::unique_handle& port);

/// Sends a few bytes and waits until they have been taken over.
void say(SOCKET from, std::string_view words);

/// Sends `hello` to `sockets.ours` and waits until it is there: a receive that is submitted now succeeds at once.
void make_readable(const pair& sockets);

/// Waits until an event is set or a thread has ended.
void wait_for(HANDLE object);

/// Waits until an operation has ended. Its packet is in the port then, or has been taken out by another thread.
void wait_until_ended(const OVERLAPPED& operation);

/// Cuts a connection: closes with SO_LINGER on and 0 seconds, which sends a reset.
void reset(SOCKET& socket);

/// Reads until the stream ends, in one way or the other.
/// \return how many bytes came
std::size_t count_to_the_end(SOCKET from);

/// For mistakes that the watch has no check for: says on standard output what came of it, and has the program end with
/// status 3, as the watch has it end with `--strict` when a rule is broken.
void harm(const std::string& sentence);

/// Says on standard output what went as it should.
void well(const std::string& sentence);

/// A thread that can be stopped while it waits inside a call, so that others see it there.
///
/// It is stopped by an asynchronous procedure call, which runs inside the call that the thread waits in. That call has
/// to wait alertably, as Microsoft documents of blocking Winsock calls and of GetQueuedCompletionStatusEx when asked.
class held_thread {
public:
    explicit held_thread(std::function<void()> work);

    /// Waits for its end.
    ~held_thread();

    held_thread(const held_thread&) = delete;
    held_thread& operator=(const held_thread&) = delete;

    /// Returns when the thread is inside its call, where it stays until let_go().
    void hold();
    void let_go();

private:
    static DWORD WINAPI run(void* self);
    static void CALLBACK stand_still(ULONG_PTR self);

    std::function<void()> work_;
    HANDLE started_;
    HANDLE inside_;
    HANDLE go_on_;
    HANDLE thread_;
};

/// A way to run a program: its arguments with spaces between them, and what it does.
struct choice {
    std::string_view arguments;
    void (*run)();
};

/// Runs the choice that the command line names, with Winsock ready.
/// \return the exit status: 0, or 3 after harm(), or 1 after an error, or 2 when there is no such choice
int run(int argc, char** argv, std::initializer_list<choice> choices);

} // namespace programs
