// start-missing: an operation is submitted on a socket of the system's thread pool, and the pool was not told before.
//
// The pool counts what it is told of. It takes the packet of the operation out of its port and throws it away: nobody
// hears that the memory is back. Microsoft's page adds that memory is corrupted.

#include "pair.hpp"

#include "common/event.hpp"
#include "common/overlapped_socket.hpp"

#include <utility>

using namespace programs;

namespace {

// [receive]
struct receive {
    OVERLAPPED overlapped{};
    char room[64];
    iocp::unique_event told = iocp::make_event();
};

void CALLBACK received(PTP_CALLBACK_INSTANCE, void* context, void*, ULONG, ULONG_PTR, PTP_IO) {
    ::SetEvent(static_cast<receive*>(context)->told.get());
}

PTP_IO tie(SOCKET socket, receive& one) {
    const PTP_IO io = ::CreateThreadpoolIo(reinterpret_cast<HANDLE>(socket), received, &one, nullptr);
    check(io != nullptr, "CreateThreadpoolIo");
    return io;
}

void submit(SOCKET socket, receive& one) {
    WSABUF buffer{sizeof one.room, one.room};
    DWORD flags = 0;
    // here
    check_submitted(::WSARecv(socket, &buffer, 1, nullptr, &flags, &one.overlapped, nullptr), "WSARecv");
}

void end(pair& sockets, PTP_IO io) {
    check(::closesocket(std::exchange(sockets.ours, INVALID_SOCKET)) == 0, "closesocket");
    ::WaitForThreadpoolIoCallbacks(io, FALSE);
    ::CloseThreadpoolIo(io);
}
// [/receive]

// The wrong ones do not close their pool object, so that they outlive their mistake. The pool does not know of the
// operation: it would free the object at once, and look into it when it takes the packet.

// [wrong]
void wrong() {
    const pair sockets;
    receive one;
    tie(sockets.ours, one);
    submit(sockets.ours, one);
    say(sockets.theirs, "hello");
    wait_until_ended(one.overlapped);
}
// [/wrong]

// [wrong_second]
void wrong_second() {
    const pair sockets;
    receive one;
    const PTP_IO io = tie(sockets.ours, one);
    ::StartThreadpoolIo(io); // for this one, and not for all to come
    say(sockets.theirs, "hello");
    WSABUF buffer{sizeof one.room, one.room};
    DWORD flags = 0;
    check_submitted(::WSARecv(sockets.ours, &buffer, 1, nullptr, &flags, &one.overlapped, nullptr), "WSARecv");
    wait_for(one.told.get());
    submit(sockets.ours, one);
    say(sockets.theirs, "hello");
    wait_until_ended(one.overlapped);
}
// [/wrong_second]

// [right]
void right() {
    pair sockets;
    receive one;
    const PTP_IO io = tie(sockets.ours, one);
    ::StartThreadpoolIo(io);
    submit(sockets.ours, one);
    say(sockets.theirs, "hello");
    wait_for(one.told.get());
    end(sockets, io);
}
// [/right]

// Two are announced before the first of them is submitted.
void right_twice() {
    pair sockets;
    receive one;
    receive two;
    const PTP_IO io = tie(sockets.ours, one);
    ::StartThreadpoolIo(io);
    ::StartThreadpoolIo(io);
    submit(sockets.ours, one);
    submit(sockets.ours, two);
    end(sockets, io);
}

// The low bit of hEvent keeps the end away from the pool: there is nothing to announce.
void right_event() {
    pair sockets;
    receive one;
    const PTP_IO io = tie(sockets.ours, one);
    const iocp::unique_event event = iocp::make_event();
    one.overlapped.hEvent = reinterpret_cast<HANDLE>(reinterpret_cast<ULONG_PTR>(event.get()) | 1);
    submit(sockets.ours, one);
    say(sockets.theirs, "hello");
    wait_for(event.get());
    end(sockets, io);
}

// Closed with the receive in flight: its callback comes all the same.
void right_closed() {
    pair sockets;
    receive one;
    const PTP_IO io = tie(sockets.ours, one);
    ::StartThreadpoolIo(io);
    submit(sockets.ours, one);
    end(sockets, io);
}

// Callbacks are dropped, and the program asks the system itself.
void right_dropped() {
    pair sockets;
    receive one;
    const PTP_IO io = tie(sockets.ours, one);
    ::StartThreadpoolIo(io);
    submit(sockets.ours, one);
    ::WaitForThreadpoolIoCallbacks(io, TRUE);
    say(sockets.theirs, "hello");
    wait_until_ended(one.overlapped);
    end(sockets, io);
}

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv,
               {{"wrong", wrong},
                {"wrong second", wrong_second},
                {"right", right},
                {"right twice", right_twice},
                {"right event", right_event},
                {"right closed", right_closed},
                {"right dropped", right_dropped}});
}
