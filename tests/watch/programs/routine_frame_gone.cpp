// routine-frame-gone: a function submits with an OVERLAPPED of its own, and returns before the routine has run.
//
// Nothing in it waits alertably, so the routine cannot have run: what the receive has ended with is written, and the
// routine called, with an address where other calls have put their own variables meanwhile.

#include "pair.hpp"

#include "common/event.hpp"

using namespace programs;

namespace {

// [receive]
struct receive {
    WSAOVERLAPPED overlapped{};
    char room[64];
};

void CALLBACK received(DWORD, DWORD, WSAOVERLAPPED*, DWORD) {}

void submit(SOCKET socket, receive& one) {
    WSABUF buffer{sizeof one.room, one.room};
    DWORD flags = 0;
    // submitted
    check_submitted(::WSARecv(socket, &buffer, 1, nullptr, &flags, &one.overlapped, received), "WSARecv");
}

// The loop of a server: it waits for something, and routines run meanwhile.
void serve() {
    const iocp::unique_event stop = iocp::make_event();
    const WSAEVENT event = stop.get();
    // here
    check(::WSAWaitForMultipleEvents(1, &event, FALSE, patience_ms, TRUE) == WSA_WAIT_IO_COMPLETION,
          "WSAWaitForMultipleEvents");
}
// [/receive]

// [wrong]
void begin_to_receive(SOCKET socket) {
    receive mine;
    submit(socket, mine);
} // it is gone, and the routine is still to come
// [/wrong]

// Makes the call far down on the stack: what is called afterwards does not reach there, so this program outlives its
// mistake. Others do not.
char far_down(SOCKET socket) {
    volatile char unused[256 << 10];
    unused[0] = 0;
    begin_to_receive(socket);
    return unused[0];
}

void wrong() {
    const pair sockets;
    make_readable(sockets);
    far_down(sockets.ours);
    serve();
}

// [right]
void right() {
    const pair sockets;
    make_readable(sockets);
    receive mine;
    submit(sockets.ours, mine);
    serve(); // the routine has run: mine may go
}
// [/right]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", wrong}, {"right", right}});
}
