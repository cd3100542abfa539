// thread-ended-with-event: a thread ends while an operation is in flight that it has submitted, with a port and an
// event.
//
// A port keeps an operation alive when its thread ends, Microsoft documents. By Wine's conformance tests, which run on
// Windows, that is so only without an event in hEvent: with one the operation is cancelled, and its packet says so.

#include "pair.hpp"

#include "common/event.hpp"

#include <thread>

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
    const iocp::unique_event event = iocp::make_event();
    overlapped.hEvent = event.get();
    std::thread{receive, sockets.ours}.join(); // it has submitted, and ends
    dequeue(port);                             // 995: nobody has sent anything
}
// [/wrong]

// [right]
void right() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    std::thread{receive, sockets.ours}.join(); // without an event
    say(sockets.theirs, "hello");
    dequeue(port);
}
// [/right]

// [right_stays]
void right_stays() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    const iocp::unique_event event = iocp::make_event();
    overlapped.hEvent = event.get();
    std::thread submitter{[&sockets, &port] {
        receive(sockets.ours);
        say(sockets.theirs, "hello");
        dequeue(port);
    }};
    submitter.join();
}
// [/right_stays]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", wrong}, {"right", right}, {"right stays", right_stays}});
}
