// port-closed-with-waiters: a port is closed while a thread waits on it.
//
// On Windows the wait fails with 735 (ERROR_ABANDONED_WAIT_0), and whoever takes every failed wait for the end of an
// operation looks at an OVERLAPPED that is null. Under Wine 8 the thread is not woken at all. A packet for each worker,
// posted by the program itself, stops them on both.

#include "pair.hpp"

using namespace programs;

namespace {

// [worker]
void work(const HANDLE port) {
    OVERLAPPED_ENTRY packets[8];
    ULONG count = 0;
    constexpr BOOL alertable = TRUE;
    // inside this call until a packet comes
    ::GetQueuedCompletionStatusEx(port, packets, 8, &count, patience_ms, alertable);
}
// [/worker]

// [wrong]
void wrong() {
    iocp::unique_handle port = iocp::make_port(0);
    held_thread worker{[waits_on = port.get()] { work(waits_on); }};
    worker.hold(); // it is inside its wait
    // here
    check(::CloseHandle(port.release()), "CloseHandle");
    worker.let_go();
}
// [/wrong]

// [right]
void right() {
    iocp::unique_handle port = iocp::make_port(0);
    {
        const held_thread worker{[waits_on = port.get()] { work(waits_on); }};
        check(::PostQueuedCompletionStatus(port.get(), 0, 0, nullptr), "PostQueuedCompletionStatus");
    } // the worker has ended
    check(::CloseHandle(port.release()), "CloseHandle");
}
// [/right]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", wrong}, {"right", right}});
}
