// thread-ended-with-io: a thread ends while an operation is in flight that it has submitted.
//
// Windows cancels what a thread leaves behind, unless the end of it goes to a port. The operation fails with 995
// (ERROR_OPERATION_ABORTED) although nobody has asked for that; Wine lets it go on.

#include "pair.hpp"

#include "common/event.hpp"

#include <thread>

using namespace programs;

namespace {

// [receive]
OVERLAPPED overlapped;
char room[64];

using routine = LPWSAOVERLAPPED_COMPLETION_ROUTINE;

void receive(SOCKET socket, routine tell) {
    WSABUF buffer{sizeof room, room};
    DWORD flags = 0;
    // submitted
    check_submitted(::WSARecv(socket, &buffer, 1, nullptr, &flags, &overlapped, tell), "WSARecv");
}

// Either end will do: 995 on Windows, a word under Wine.
void wait_until_ended(SOCKET socket) {
    wait_for(overlapped.hEvent);
    DWORD bytes = 0;
    DWORD flags = 0;
    check(::WSAGetOverlappedResult(socket, &overlapped, &bytes, FALSE, &flags) ||
              ::WSAGetLastError() == WSA_OPERATION_ABORTED,
          "WSAGetOverlappedResult");
}
// [/receive]

// [wrong]
void wrong() {
    const pair sockets;
    const iocp::unique_event event = iocp::make_event();
    overlapped.hEvent = event.get();
    std::thread{receive, sockets.ours, nullptr}.join(); // it has submitted, and ends
    say(sockets.theirs, "hello");
    wait_until_ended(sockets.ours);
}
// [/wrong]

// [right]
void right() {
    const pair sockets;
    const iocp::unique_event event = iocp::make_event();
    overlapped.hEvent = event.get();
    std::thread submitter{[&sockets] {
        receive(sockets.ours, nullptr);
        wait_until_ended(sockets.ours);
    }};
    say(sockets.theirs, "hello");
    submitter.join();
}
// [/right]

// [wrong_routine]
void CALLBACK received(DWORD, DWORD, OVERLAPPED*, DWORD) {}

void wrong_routine() {
    const pair sockets;
    // Its thread alone could have entered the routine.
    std::thread{receive, sockets.ours, received}.join();
}
// [/wrong_routine]

// [right_routine]
void right_routine() {
    const pair sockets;
    std::thread submitter{[&sockets] {
        receive(sockets.ours, received);
        check(::SleepEx(patience_ms, TRUE) == WAIT_IO_COMPLETION, "SleepEx");
    }};
    say(sockets.theirs, "hello");
    submitter.join();
}
// [/right_routine]

// [right_poll]
void right_poll() {
    const pair sockets;
    const iocp::unique_event event = iocp::make_event();
    overlapped.hEvent = event.get();
    std::thread submitter{[&sockets] {
        receive(sockets.ours, nullptr);
        programs::wait_until_ended(overlapped); // HasOverlappedIoCompleted, which is no call
    }};
    say(sockets.theirs, "hello");
    submitter.join();
}
// [/right_poll]

// [right_port]
void right_port() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    std::thread{receive, sockets.ours, nullptr}.join();
    say(sockets.theirs, "hello");
    dequeue(port);
}
// [/right_port]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv,
               {{"wrong", wrong},
                {"wrong routine", wrong_routine},
                {"right", right},
                {"right routine", right_routine},
                {"right poll", right_poll},
                {"right port", right_port}});
}
