// routine-not-entered: a receive has a completion routine, and its thread never waits alertably.
//
// The bytes have come long ago. The routine is queued for the thread and stays there, and with it the OVERLAPPED and
// the buffer stay lent, for as long as the thread waits in the usual way.

#include "pair.hpp"

#include "common/event.hpp"

using namespace programs;

namespace {

// [receive]
struct receive {
    WSAOVERLAPPED overlapped{};
    char room[64];
    WSAEVENT done = nullptr;
};

void CALLBACK received(DWORD, DWORD, WSAOVERLAPPED* overlapped, DWORD) {
    check(::WSASetEvent(static_cast<receive*>(overlapped->hEvent)->done), "WSASetEvent");
}

void submit(SOCKET socket, receive& one) {
    one.overlapped.hEvent = &one;
    WSABUF buffer{sizeof one.room, one.room};
    DWORD flags = 0;
    check_submitted(::WSARecv(socket, &buffer, 1, nullptr, &flags, &one.overlapped, received), "WSARecv");
}
// [/receive]

// \param wait until the event is set, or a time has passed
void run_with(DWORD (*wait)(WSAEVENT)) {
    const pair sockets;
    const iocp::unique_event event = iocp::make_event();
    receive one;
    one.done = event.get();
    make_readable(sockets); // so the receive ends at once
    submit(sockets.ours, one);
    if (wait(event.get()) == WSA_WAIT_TIMEOUT) {
        harm(
            "The receive has ended before the wait began. Its routine has not been entered: its memory is still lent.");
        check(::SleepEx(patience_ms, TRUE) == WAIT_IO_COMPLETION, "SleepEx"); // so that it does not end lent
    } else {
        well("The routine was entered during the wait: the memory is back.");
    }
}

// [wrong]
DWORD wait(WSAEVENT done) {
    constexpr DWORD a_while = 200; // however long: nothing would come
    return ::WSAWaitForMultipleEvents(1, &done, FALSE, a_while, FALSE);
}
// [/wrong]

// [right]
DWORD wait_right(WSAEVENT done) {
    DWORD outcome = WSA_WAIT_IO_COMPLETION;
    while (outcome == WSA_WAIT_IO_COMPLETION) { // a routine has run: wait again
        outcome = ::WSAWaitForMultipleEvents(1, &done, FALSE, patience_ms, TRUE);
    }
    return outcome;
}
// [/right]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", [] { run_with(wait); }}, {"right", [] { run_with(wait_right); }}});
}
