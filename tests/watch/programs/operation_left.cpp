// operation-left: the program comes to its end, and the memory of an operation is not back.
//
// closesocket ends the operation, and its packet is queued; but nobody takes that out of the port. At the end of a
// program this costs nothing. Where a server stops and a program goes on, the memory is freed while it is lent.

#include "pair.hpp"

#include <utility>

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
    pair sockets;
    static_cast<void>(port_of(sockets).release()); // others use it, to the end of the process
    receive(sockets.ours);
    check(::closesocket(std::exchange(sockets.ours, INVALID_SOCKET)) == 0, "closesocket");
}
// [/wrong]

// [right]
void right() {
    pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    receive(sockets.ours);
    check(::closesocket(std::exchange(sockets.ours, INVALID_SOCKET)) == 0, "closesocket");
    dequeue(port); // the receive has failed, and its memory is back
}
// [/right]

// [right_port_closed]
void right_port_closed() {
    pair sockets;
    iocp::unique_handle port = port_of(sockets);
    receive(sockets.ours);
    check(::closesocket(std::exchange(sockets.ours, INVALID_SOCKET)) == 0, "closesocket");
    port.reset(); // the packet goes with it: nobody will ever see that pointer
}
// [/right_port_closed]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", wrong}, {"right", right}, {"right port_closed", right_port_closed}});
}
