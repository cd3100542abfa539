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
constexpr DWORD a_moment = 10;

void wrong() {
    const pair sockets;
    const iocp::unique_event event = iocp::make_event();
    const iocp::unique_event another = iocp::make_event();
    overlapped.hEvent = event.get();
    receive(sockets.ours);
    overlapped.hEvent = another.get(); // too late for this receive
    // here: nobody sets this event; without a limit the wait would never be over
    const DWORD outcome = ::WaitForSingleObject(another.get(), a_moment);
    check(outcome == WAIT_TIMEOUT, "WaitForSingleObject");
    say(sockets.theirs, "hello");
    wait_for(event.get());
}
// [/wrong]

// [wrong_result]
void wrong_result() {
    const pair sockets;
    const iocp::unique_event event = iocp::make_event();
    const iocp::unique_event another = iocp::make_event();
    overlapped.hEvent = event.get();
    receive(sockets.ours);
    overlapped.hEvent = another.get();
    DWORD bytes = 0;
    DWORD flags = 0;
    // here: seen when the result is asked for
    const BOOL ended = ::WSAGetOverlappedResult(sockets.ours, &overlapped, &bytes, FALSE, &flags);
    check(!ended && ::WSAGetLastError() == WSA_IO_INCOMPLETE, "WSAGetOverlappedResult");
    say(sockets.theirs, "hello");
    wait_for(event.get());
}
// [/wrong_result]

// [wrong_port]
void wrong_port() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    const iocp::unique_event ended = iocp::make_event();
    receive(sockets.ours); // without an event: its end goes to the port
    overlapped.hEvent = ended.get();
    check(::CancelIoEx(reinterpret_cast<HANDLE>(sockets.ours), &overlapped), "CancelIoEx");
    // here: the end of the receive is in the port, and nobody sets this event
    const DWORD outcome = ::WaitForSingleObject(ended.get(), a_moment);
    check(outcome == WAIT_TIMEOUT, "WaitForSingleObject");
    dequeue(port);
}
// [/wrong_port]

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

// [right_poll]
void right_poll() {
    const pair sockets;
    const iocp::unique_event event = iocp::make_event();
    const iocp::unique_event another = iocp::make_event();
    overlapped.hEvent = event.get();
    receive(sockets.ours);
    say(sockets.theirs, "hello");
    wait_until_ended(overlapped); // HasOverlappedIoCompleted, which is no call
    overlapped.hEvent = another.get();
    check(::WaitForSingleObject(another.get(), a_moment) == WAIT_TIMEOUT, "WaitForSingleObject");
}
// [/right_poll]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv,
               {{"wrong", wrong},
                {"wrong result", wrong_result},
                {"wrong port", wrong_port},
                {"right", right},
                {"right poll", right_poll}});
}
