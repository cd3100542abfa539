// cancelled-but-received: a receive is cancelled, and what it has brought all the same is thrown away.
//
// CancelIoEx asks. A receive that has ended before is not undone: its packet comes with success and a number of bytes.
// Whoever takes every packet after a cancel for an empty one loses what the client has sent.

#include "pair.hpp"

#include <string>
#include <utility>

using namespace programs;

namespace {

// [connection]
struct connection {
    connection() : port{port_of(sockets)} {
        WSABUF buffer{sizeof room, room};
        DWORD flags = 0;
        check_submitted(::WSARecv(sockets.ours, &buffer, 1, nullptr, &flags, &receive, nullptr), "WSARecv");
    }

    // Time is up for a client that has been silent, as we believe. It speaks in this very moment.
    void let_go() {
        say(sockets.theirs, "order");
        wait_until_ended(receive);
        // Windows answers 1168, for nothing is in flight any more. Wine 8 says that it has cancelled something.
        ::CancelIoEx(reinterpret_cast<HANDLE>(sockets.ours), &receive);
    }

    void close() { check(::closesocket(std::exchange(sockets.ours, INVALID_SOCKET)) == 0, "closesocket"); }

    pair sockets;
    iocp::unique_handle port;
    char room[64];
    OVERLAPPED receive{};
};
// [/connection]

// [wrong]
void wrong() {
    connection one;
    one.let_go();
    DWORD bytes = 0;
    ULONG_PTR key = 0;
    OVERLAPPED* back = nullptr;
    const BOOL good = ::GetQueuedCompletionStatus(one.port.get(), &bytes, &key, &back, patience_ms);
    check(back != nullptr, "GetQueuedCompletionStatus");
    one.close(); // it was cancelled, so it has brought nothing?
    if (good && bytes != 0) {
        harm("The cancelled receive has succeeded, and its " + std::to_string(bytes) +
             " bytes are thrown away: the client believes that we have them.");
    }
}
// [/wrong]

// [right]
void right() {
    connection one;
    one.let_go();
    DWORD bytes = 0;
    ULONG_PTR key = 0;
    OVERLAPPED* back = nullptr;
    const BOOL good = ::GetQueuedCompletionStatus(one.port.get(), &bytes, &key, &back, patience_ms);
    check(back != nullptr, "GetQueuedCompletionStatus");
    if (good && bytes != 0) { // used like any other bytes, and then the socket is only closed
        well("The cancelled receive has succeeded, and its " + std::to_string(bytes) +
             " bytes are used: " + std::string{one.room, bytes} + ".");
    }
    one.close();
}
// [/right]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", wrong}, {"right", right}});
}
