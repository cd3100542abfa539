// memory-overlap: two operations in flight have the same memory, and the system writes for one of them.
//
// The echo below receives into the buffer that is still being sent. What the client gets back may be half of its own
// words and half of the next ones: the send is done with the buffer when its packet is here, not when WSASend returns.

#include "pair.hpp"

#include "common/event.hpp"

using namespace programs;

namespace {

// [connection]
OVERLAPPED receiving;
OVERLAPPED also_receiving;
OVERLAPPED sending;
OVERLAPPED also_sending;
char room[64] = "hello";

void receive(SOCKET socket, OVERLAPPED& with) {
    WSABUF buffer{sizeof room, room};
    DWORD flags = 0;
    // here
    check_submitted(::WSARecv(socket, &buffer, 1, nullptr, &flags, &with, nullptr), "WSARecv");
}

void send(SOCKET socket, OVERLAPPED& with) {
    WSABUF buffer{5, room};
    // submitted
    check_submitted(::WSASend(socket, &buffer, 1, nullptr, 0, &with, nullptr), "WSASend");
}
// [/connection]

// [wrong]
void wrong() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    send(sockets.ours, sending);
    receive(sockets.ours, receiving);
    say(sockets.theirs, "hello");
    dequeue(port);
    dequeue(port);
}
// [/wrong]

// [right]
void right() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    send(sockets.ours, sending);
    dequeue(port);
    receive(sockets.ours, receiving);
    say(sockets.theirs, "hello");
    dequeue(port);
}
// [/right]

// [wrong_receives]
void wrong_receives() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    WSABUF buffer{5, room};
    DWORD flags = 0;
    // submitted
    check_submitted(::WSARecv(sockets.ours, &buffer, 1, nullptr, &flags, &receiving, nullptr), "WSARecv");
    flags = 0;
    // here: two receives are in flight, which is fine, but they share their buffer
    check_submitted(::WSARecv(sockets.ours, &buffer, 1, nullptr, &flags, &also_receiving, nullptr), "WSARecv");
    say(sockets.theirs, "hellohello");
    dequeue(port);
    dequeue(port);
}
// [/wrong_receives]

// [right_sends]
// Sends only read: one buffer may go to two clients at the same time.
void right_sends() {
    const pair first;
    const pair second;
    const iocp::unique_handle port = port_of(first);
    iocp::associate(second.ours, port, 0);
    send(first.ours, sending);
    send(second.ours, also_sending);
    dequeue(port);
    dequeue(port);
}
// [/right_sends]

// [right_poll]
void right_poll() {
    const pair sockets;
    const iocp::unique_event sent = iocp::make_event();
    const iocp::unique_event received = iocp::make_event();
    sending.hEvent = sent.get();
    receiving.hEvent = received.get();
    send(sockets.ours, sending);
    wait_until_ended(sending); // HasOverlappedIoCompleted, which is no call
    receive(sockets.ours, receiving);
    say(sockets.theirs, "hello");
    wait_for(received.get());
}
// [/right_poll]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv,
               {{"wrong", wrong},
                {"wrong receives", wrong_receives},
                {"right", right},
                {"right sends", right_sends},
                {"right poll", right_poll}});
}
