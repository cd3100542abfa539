// untracked: a socket is given to the system's thread pool in the older way.
//
// Nothing is wrong. But the pool takes the packets out of a port that the program never sees, and calls a function that
// it cannot be told apart by. So the watch does not see when memory is back: it says so, once, and looks at no
// operation of this socket.

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
    check_submitted(::WSARecv(socket, &buffer, 1, nullptr, &flags, &overlapped, nullptr), "WSARecv");
}
// [/receive]

// [wrong]
iocp::unique_event ended_somewhere; // the callback gets no context

void CALLBACK received_somewhere(DWORD, DWORD, OVERLAPPED*) {
    ::SetEvent(ended_somewhere.get());
}

void wrong() {
    const pair sockets;
    ended_somewhere = iocp::make_event();
    // here
    check(::BindIoCompletionCallback(reinterpret_cast<HANDLE>(sockets.ours), received_somewhere, 0),
          "BindIoCompletionCallback");
    receive(sockets.ours);
    say(sockets.theirs, "hello");
    wait_for(ended_somewhere.get());
    ended_somewhere.reset();
}
// [/wrong]

// [right]
void CALLBACK received(PTP_CALLBACK_INSTANCE, void* ended, void*, ULONG, ULONG_PTR, PTP_IO) {
    ::SetEvent(ended);
}

void right() {
    const pair sockets;
    const iocp::unique_event ended = iocp::make_event();
    const PTP_IO io = ::CreateThreadpoolIo(reinterpret_cast<HANDLE>(sockets.ours), received, ended.get(), nullptr);
    check(io != nullptr, "CreateThreadpoolIo");
    ::StartThreadpoolIo(io);
    receive(sockets.ours);
    say(sockets.theirs, "hello");
    wait_for(ended.get());
    ::WaitForThreadpoolIoCallbacks(io, FALSE);
    ::CloseThreadpoolIo(io);
}
// [/right]

void right_port() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    receive(sockets.ours);
    say(sockets.theirs, "hello");
    dequeue(port);
}

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", wrong}, {"right", right}, {"right port", right_port}});
}
