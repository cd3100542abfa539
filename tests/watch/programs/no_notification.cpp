// no-notification: an operation is pending that will tell nobody of its end.
//
// Its socket belongs to no port, its OVERLAPPED has no event, the call named no routine. The program can only ask again
// and again; and a wait for the result waits for the socket, which any other operation on it sets as well.

#include "pair.hpp"

#include "common/event.hpp"

using namespace programs;

namespace {

// [receive]
char room[64];

void receive(SOCKET socket, OVERLAPPED& overlapped) {
    WSABUF buffer{sizeof room, room};
    DWORD flags = 0;
    // here
    check_submitted(::WSARecv(socket, &buffer, 1, nullptr, &flags, &overlapped, nullptr), "WSARecv");
}

// \return whether it has ended
bool ask(SOCKET socket, OVERLAPPED& overlapped) {
    DWORD bytes = 0;
    DWORD flags = 0;
    return ::WSAGetOverlappedResult(socket, &overlapped, &bytes, FALSE, &flags) ||
           ::WSAGetLastError() != WSA_IO_INCOMPLETE;
}
// [/receive]

// [wrong]
void wrong() {
    const pair sockets;
    OVERLAPPED overlapped{}; // no event, and nobody has made a port
    receive(sockets.ours, overlapped);
    say(sockets.theirs, "hello");
    for (DWORD waited_ms = 0; !ask(sockets.ours, overlapped) && waited_ms < patience_ms; ++waited_ms) {
        ::Sleep(1);
    }
}
// [/wrong]

// [right]
void right() {
    const pair sockets;
    const iocp::unique_event event = iocp::make_event();
    OVERLAPPED overlapped{};
    overlapped.hEvent = event.get();
    receive(sockets.ours, overlapped);
    say(sockets.theirs, "hello");
    wait_for(event.get());
    check(ask(sockets.ours, overlapped), "WSAGetOverlappedResult");
}
// [/right]

// [right_port]
void right_port() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    OVERLAPPED overlapped{};
    receive(sockets.ours, overlapped);
    say(sockets.theirs, "hello");
    dequeue(port);
}
// [/right_port]

// [right_routine]
void CALLBACK received(DWORD, DWORD, OVERLAPPED*, DWORD) {}

void right_routine() {
    const pair sockets;
    OVERLAPPED overlapped{};
    WSABUF buffer{sizeof room, room};
    DWORD flags = 0;
    check_submitted(::WSARecv(sockets.ours, &buffer, 1, nullptr, &flags, &overlapped, received), "WSARecv");
    say(sockets.theirs, "hello");
    check(::SleepEx(patience_ms, TRUE) == WAIT_IO_COMPLETION, "SleepEx");
}
// [/right_routine]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv,
               {{"wrong", wrong}, {"right", right}, {"right port", right_port}, {"right routine", right_routine}});
}
