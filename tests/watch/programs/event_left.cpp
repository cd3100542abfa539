// event-left: the program comes to its end, and an event of WSACreateEvent is still open.
//
// One event for each operation is made quickly, and forgotten as quickly. In a server they are handles that nobody
// gives back.

#include "pair.hpp"

#include "common/event.hpp"

using namespace programs;

namespace {

// [wrong]
void wrong() {
    const pair sockets;
    OVERLAPPED overlapped{};
    // submitted
    overlapped.hEvent = ::WSACreateEvent();
    check(overlapped.hEvent != WSA_INVALID_EVENT, "WSACreateEvent");
    char room[64];
    WSABUF buffer{sizeof room, room};
    DWORD flags = 0;
    check_submitted(::WSARecv(sockets.ours, &buffer, 1, nullptr, &flags, &overlapped, nullptr), "WSARecv");
    say(sockets.theirs, "hello");
    DWORD bytes = 0;
    check(::WSAGetOverlappedResult(sockets.ours, &overlapped, &bytes, TRUE, &flags), "WSAGetOverlappedResult");
} // and with the OVERLAPPED goes the only copy of the handle
// [/wrong]

// [right]
void right() {
    const pair sockets;
    const iocp::unique_event event = iocp::make_event(); // closes it, whichever way leads out
    OVERLAPPED overlapped{};
    overlapped.hEvent = event.get();
    char room[64];
    WSABUF buffer{sizeof room, room};
    DWORD flags = 0;
    check_submitted(::WSARecv(sockets.ours, &buffer, 1, nullptr, &flags, &overlapped, nullptr), "WSARecv");
    say(sockets.theirs, "hello");
    DWORD bytes = 0;
    check(::WSAGetOverlappedResult(sockets.ours, &overlapped, &bytes, TRUE, &flags), "WSAGetOverlappedResult");
}
// [/right]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", wrong}, {"right", right}});
}
