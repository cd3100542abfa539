// untracked: a socket is given to the system's own thread pool.
//
// Nothing is wrong. But the pool takes the packets out of a port that the program never sees, and so does the watch not
// see when memory is back: it says so, once, and looks at no operation of this socket.

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
void CALLBACK received(PTP_CALLBACK_INSTANCE, void* ended, void*, ULONG, ULONG_PTR, PTP_IO) {
    ::SetEvent(ended);
}

void wrong() {
    const pair sockets;
    const iocp::unique_event ended = iocp::make_event();
    // here
    const PTP_IO io = ::CreateThreadpoolIo(reinterpret_cast<HANDLE>(sockets.ours), received, ended.get(), nullptr);
    check(io != nullptr, "CreateThreadpoolIo");
    ::StartThreadpoolIo(io);
    receive(sockets.ours);
    say(sockets.theirs, "hello");
    wait_for(ended.get());
    ::WaitForThreadpoolIoCallbacks(io, FALSE);
    ::CloseThreadpoolIo(io);
}
// [/wrong]

// [wrong_bind]
iocp::unique_event ended_without_context;

void CALLBACK received_without_context(DWORD, DWORD, OVERLAPPED*) {
    ::SetEvent(ended_without_context.get());
}

void wrong_bind() {
    const pair sockets;
    ended_without_context = iocp::make_event();
    // here
    check(::BindIoCompletionCallback(reinterpret_cast<HANDLE>(sockets.ours), received_without_context, 0),
          "BindIoCompletionCallback");
    receive(sockets.ours);
    say(sockets.theirs, "hello");
    wait_for(ended_without_context.get());
    ended_without_context.reset();
}
// [/wrong_bind]

// [right]
void right() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    receive(sockets.ours);
    say(sockets.theirs, "hello");
    dequeue(port);
}
// [/right]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", wrong}, {"wrong bind", wrong_bind}, {"right", right}});
}
