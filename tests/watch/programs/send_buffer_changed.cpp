// send-buffer-changed: a buffer is changed while it is being sent.
//
// Windows may copy what is to be sent, and may as well send it from where it is (with SO_SNDBUF 0 always). Then the
// client gets the next message, or half of it, in place of this one.

#include "pair.hpp"

#include <cstring>

using namespace programs;

namespace {

// [send]
OVERLAPPED overlapped;
char room[64] = "first message";

void send(SOCKET socket) {
    WSABUF buffer{static_cast<ULONG>(std::strlen(room)), room};
    // submitted
    check_submitted(::WSASend(socket, &buffer, 1, nullptr, 0, &overlapped, nullptr), "WSASend");
}
// [/send]

// [wrong]
void wrong() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    send(sockets.ours);
    std::memcpy(room, "next message", sizeof "next message"); // WSASend has returned, but it is the packet that tells
    // here: seen when the packet is dequeued
    dequeue(port);
}
// [/wrong]

// [right]
void right() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    send(sockets.ours);
    dequeue(port);
    std::memcpy(room, "next message", sizeof "next message");
}
// [/right]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", wrong}, {"right", right}});
}
