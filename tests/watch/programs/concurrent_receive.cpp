// concurrent-receive: two threads are inside WSARecv on one socket.
//
// The bytes of a stream go to the receives in the order of the calls, and two threads have no order: either may get the
// words that were meant for the other, or one half of them each.

#include "pair.hpp"

#include "common/event.hpp"

using namespace programs;

namespace {

// [receive]
void read_word(SOCKET socket) {
    char room[5];
    WSABUF buffer{sizeof room, room};
    DWORD bytes = 0;
    DWORD flags = 0;
    // inside this call until a word has come
    check(::WSARecv(socket, &buffer, 1, &bytes, &flags, nullptr, nullptr) == 0, "WSARecv");
}

char answer[5];

void receive_answer(SOCKET socket, OVERLAPPED& overlapped) {
    WSABUF buffer{sizeof answer, answer};
    DWORD flags = 0;
    // here
    check_submitted(::WSARecv(socket, &buffer, 1, nullptr, &flags, &overlapped, nullptr), "WSARecv");
}

void wait_until_received(SOCKET socket, OVERLAPPED& overlapped) {
    DWORD bytes = 0;
    DWORD flags = 0;
    check(::WSAGetOverlappedResult(socket, &overlapped, &bytes, TRUE, &flags), "WSAGetOverlappedResult");
}
// [/receive]

// [wrong]
void wrong() {
    const pair sockets;
    const iocp::unique_event event = iocp::make_event();
    OVERLAPPED overlapped{};
    overlapped.hEvent = event.get();
    held_thread reader{[&sockets] { read_word(sockets.ours); }};
    reader.hold(); // it is inside WSARecv
    receive_answer(sockets.ours, overlapped);
    reader.let_go();
    say(sockets.theirs, "helloworld");
    wait_until_received(sockets.ours, overlapped);
}
// [/wrong]

// [right]
void right() {
    const pair sockets;
    const iocp::unique_event event = iocp::make_event();
    OVERLAPPED overlapped{};
    overlapped.hEvent = event.get();
    {
        const held_thread reader{[&sockets] { read_word(sockets.ours); }};
        say(sockets.theirs, "helloworld");
    } // the reader has ended
    receive_answer(sockets.ours, overlapped);
    wait_until_received(sockets.ours, overlapped);
}
// [/right]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", wrong}, {"right", right}});
}
