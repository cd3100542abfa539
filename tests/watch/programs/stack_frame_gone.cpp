// stack-frame-gone: a function has returned, and an operation still has its local variables.
//
// The next call puts its own variables and return addresses there. What the system receives is written over them; that
// they are at the same place depends on the compiler, so the crash comes with the next build, or with the next one.

#include "pair.hpp"

using namespace programs;

namespace {

// [wrong]
void begin_to_receive(SOCKET socket, OVERLAPPED& overlapped) {
    char room[64];
    WSABUF buffer{sizeof room, room}; // this one may go: the call has read it
    DWORD flags = 0;
    // submitted
    check_submitted(::WSARecv(socket, &buffer, 1, nullptr, &flags, &overlapped, nullptr), "WSARecv");
} // but the room is to be filled

void wrong() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    make_readable(sockets);
    OVERLAPPED overlapped{};
    begin_to_receive(sockets.ours, overlapped);
    // here
    dequeue(port);
}
// [/wrong]

// [right]
void begin_to_receive_right(SOCKET socket, OVERLAPPED& overlapped, char (&room)[64]) {
    WSABUF buffer{sizeof room, room};
    DWORD flags = 0;
    check_submitted(::WSARecv(socket, &buffer, 1, nullptr, &flags, &overlapped, nullptr), "WSARecv");
}

void right() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    make_readable(sockets);
    OVERLAPPED overlapped{};
    char room[64]; // in a frame that waits for the packet
    begin_to_receive_right(sockets.ours, overlapped, room);
    dequeue(port);
}
// [/right]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", wrong}, {"right", right}});
}
