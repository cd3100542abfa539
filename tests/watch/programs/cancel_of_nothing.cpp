// cancel-of-nothing: CancelIo is called by a thread that has submitted nothing.
//
// CancelIo asks only what the calling thread has submitted to end. It succeeds all the same, and whoever waits for the
// packet of a cancelled operation then waits for ever. CancelIoEx knows no threads.

#include "pair.hpp"

#include <thread>

using namespace programs;

namespace {

// [receive]
struct connection {
    pair sockets;
    iocp::unique_handle port = port_of(sockets);
    OVERLAPPED overlapped{};
    char data[64];
};

void receive(connection& on) {
    WSABUF room{sizeof on.data, on.data};
    DWORD flags = 0;
    on.overlapped = {};
    // submitted
    const int returned = ::WSARecv(on.sockets.ours, &room, 1, nullptr, &flags, &on.overlapped, nullptr);
    check_submitted(returned, "WSARecv");
}
// [/receive]

// [wrong]
void wrong() {
    connection one;
    std::thread([&one] { receive(one); }).join();
    // here
    check(::CancelIo(reinterpret_cast<HANDLE>(one.sockets.ours)), "CancelIo");
    say(one.sockets.theirs, "hello"); // or its packet would never come
    dequeue(one.port);
}
// [/wrong]

// [right]
void right() {
    connection one;
    std::thread([&one] { receive(one); }).join();
    check(::CancelIoEx(reinterpret_cast<HANDLE>(one.sockets.ours), &one.overlapped), "CancelIoEx");
    dequeue(one.port);
}
// [/right]

// [right_own]
void right_own() {
    connection one;
    receive(one);
    check(::CancelIo(reinterpret_cast<HANDLE>(one.sockets.ours)), "CancelIo"); // this thread has submitted it
    dequeue(one.port);
}
// [/right_own]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", wrong}, {"right", right}, {"right own", right_own}});
}
