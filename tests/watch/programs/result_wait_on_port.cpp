// result-wait-on-port: WSAGetOverlappedResult is to wait for an operation whose end goes to a port, and there is no
// event.
//
// Without an event the wait is for the socket itself, which any other operation on it sets as well, and which a socket
// of a port may not set at all: the wait may be over too early, or never. The packet comes in any case.

#include "pair.hpp"

#include "common/event.hpp"

#include <cstdint>

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
    const iocp::unique_handle port = port_of(sockets);
    make_readable(sockets); // or the wait below may not end
    receive(sockets.ours);
    DWORD bytes = 0;
    DWORD flags = 0;
    // here: TRUE, which is to wait
    check(::WSAGetOverlappedResult(sockets.ours, &overlapped, &bytes, TRUE, &flags), "WSAGetOverlappedResult");
    dequeue(port);
}
// [/wrong]

// [right]
void right() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    make_readable(sockets);
    receive(sockets.ours);
    dequeue(port); // to wait for a packet is to wait for the end; then the result may be asked for, without a wait
    DWORD bytes = 0;
    DWORD flags = 0;
    check(::WSAGetOverlappedResult(sockets.ours, &overlapped, &bytes, FALSE, &flags), "WSAGetOverlappedResult");
}
// [/right]

// [right_event]
void right_event() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    const iocp::unique_event event = iocp::make_event();
    // An event for this one operation. Its lowest bit, when set, keeps the packet away from the port.
    overlapped.hEvent = reinterpret_cast<HANDLE>(reinterpret_cast<std::uintptr_t>(event.get()) | 1);
    receive(sockets.ours);
    say(sockets.theirs, "hello");
    DWORD bytes = 0;
    DWORD flags = 0;
    check(::WSAGetOverlappedResult(sockets.ours, &overlapped, &bytes, TRUE, &flags), "WSAGetOverlappedResult");
}
// [/right_event]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", wrong}, {"right", right}, {"right event", right_event}});
}
