// address-length-gone: a receive of a datagram is given the length of the sender's address as a local variable.
//
// It looks like recvfrom, where that is right: there the call waits. Here it returns at once, and the length is written
// when a datagram comes, over whatever stands at that place of the stack by then.

#include "datagrams.hpp"

using namespace programs;

namespace {

// [receive]
struct receive {
    OVERLAPPED overlapped{};
    sockaddr_in from{};
    INT from_length = 0;
    char room[64];
};

void submit(SOCKET socket, receive& one, INT& length) {
    length = sizeof one.from;
    WSABUF buffer{sizeof one.room, one.room};
    DWORD flags = 0;
    // submitted
    check_submitted(::WSARecvFrom(socket, &buffer, 1, nullptr, &flags, reinterpret_cast<sockaddr*>(&one.from), &length,
                                  &one.overlapped, nullptr),
                    "WSARecvFrom");
}
// [/receive]

// [wrong]
void begin_to_receive(SOCKET socket, receive& one) {
    INT length = 0; // as with recvfrom
    submit(socket, one, length);
} // it is gone, and the datagram is still to come
// [/wrong]

// Makes the call far down on the stack: what is called afterwards does not reach there, so this program outlives its
// mistake. Others do not.
char far_down(SOCKET socket, receive& one) {
    volatile char unused[256 << 10];
    unused[0] = 0;
    begin_to_receive(socket, one);
    return unused[0];
}

void wrong() {
    const datagram_sockets sockets;
    receive one;
    far_down(sockets.ours.get(), one);
    // here
    sockets.say("hello");
    dequeue(sockets.port);
}

// [right]
void right() {
    const datagram_sockets sockets;
    receive one;
    submit(sockets.ours.get(), one, one.from_length); // it lives as long as the operation
    sockets.say("hello");
    dequeue(sockets.port);
}
// [/right]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", wrong}, {"right", right}});
}
