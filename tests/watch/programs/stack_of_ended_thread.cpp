// stack-of-ended-thread: a thread has ended, and an operation still has memory of its stack.
//
// The stack is given back to the system with the thread, and the next thread may get the same pages. What Windows
// writes there changes that one's variables, or finds no memory at all.

#include "pair.hpp"

#include <thread>

using namespace programs;

namespace {

// [wrong]
void begin_to_receive(SOCKET socket) {
    OVERLAPPED overlapped{};
    char room[64];
    WSABUF buffer{sizeof room, room};
    DWORD flags = 0;
    // submitted: its packet is for whoever waits at the port
    check_submitted(::WSARecv(socket, &buffer, 1, nullptr, &flags, &overlapped, nullptr), "WSARecv");
} // and the thread ends

void wrong() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    make_readable(sockets);
    std::thread{begin_to_receive, sockets.ours}.join();
    dequeue(port); // it points into a stack that is gone
}
// [/wrong]

// [right]
struct connection {
    OVERLAPPED overlapped{};
    char room[64]{};
};

void begin_to_receive_right(SOCKET socket, connection& into) {
    WSABUF buffer{sizeof into.room, into.room};
    DWORD flags = 0;
    check_submitted(::WSARecv(socket, &buffer, 1, nullptr, &flags, &into.overlapped, nullptr), "WSARecv");
}

void right() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    make_readable(sockets);
    connection outlives_the_operation;
    std::thread{begin_to_receive_right, sockets.ours, std::ref(outlives_the_operation)}.join();
    dequeue(port);
}
// [/right]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", wrong}, {"right", right}});
}
