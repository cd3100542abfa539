// event-changed: the event of an OVERLAPPED is exchanged while its operation is in flight.
//
// The system has taken the event at the submit and sets that one. Whoever waits for the new one, and
// WSAGetOverlappedResult does, waits for an event that nobody sets.

#include "pair.hpp"

#include "common/event.hpp"

using namespace programs;

namespace {

// [receive]
OVERLAPPED overlapped;
char room[64];

void receive(SOCKET socket) {
    WSABUF buffer{sizeof room, room};
    DWORD flags = 0;
    // submitted
    check_submitted(::WSARecv(socket, &buffer, 1, nullptr, &flags, &overlapped, nullptr), "WSARecv");
}
// [/receive]

// [wrong]
void wrong() {
    const pair sockets;
    const iocp::unique_event event = iocp::make_event();
    const iocp::unique_event another = iocp::make_event();
    overlapped.hEvent = event.get();
    receive(sockets.ours);
    overlapped.hEvent = another.get(); // too late for this receive
    say(sockets.theirs, "hello");
    wait_for(event.get());
    DWORD bytes = 0;
    DWORD flags = 0;
    // here: seen when the result is asked for
    check(::WSAGetOverlappedResult(sockets.ours, &overlapped, &bytes, FALSE, &flags), "WSAGetOverlappedResult");
}
// [/wrong]

// [right]
void right() {
    const pair sockets;
    const iocp::unique_event event = iocp::make_event();
    const iocp::unique_event another = iocp::make_event();
    overlapped.hEvent = event.get();
    receive(sockets.ours);
    say(sockets.theirs, "hello");
    wait_for(event.get());
    DWORD bytes = 0;
    DWORD flags = 0;
    check(::WSAGetOverlappedResult(sockets.ours, &overlapped, &bytes, FALSE, &flags), "WSAGetOverlappedResult");
    overlapped.hEvent = another.get(); // for the next one
}
// [/right]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", wrong}, {"right", right}});
}
