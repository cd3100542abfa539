// close-during-call: closesocket while another thread is inside a call on that socket.
//
// What becomes of that call is not documented. And the value of the closed socket is soon in use again: if the thread
// calls once more, it reads or closes somebody else's connection.

#include "pair.hpp"

#include <atomic>
#include <thread>
#include <utility>

using namespace programs;

namespace {

// [read]
void read_until_closed(SOCKET socket) {
    char room[64];
    // inside this call until something comes
    while (::recv(socket, room, sizeof room, 0) > 0) {
    }
}
// [/read]

// [wrong]
void wrong() {
    pair sockets;
    held_thread reader{[socket = sockets.ours] { read_until_closed(socket); }};
    reader.hold(); // it is inside recv
    // here: to wake the reader
    check(::closesocket(std::exchange(sockets.ours, INVALID_SOCKET)) == 0, "closesocket");
    reader.let_go();
    ::shutdown(sockets.theirs, SD_SEND); // should the close not have ended its recv
}
// [/wrong]

// [right]
void read_until_stopped(SOCKET socket, const std::atomic<bool>& stopped) {
    char room[64];
    while (!stopped) {
        WSAPOLLFD readable{socket, POLLRDNORM, 0};
        constexpr INT a_moment = 100;
        if (::WSAPoll(&readable, 1, a_moment) > 0 && ::recv(socket, room, sizeof room, 0) <= 0) {
            return;
        }
    }
}

void right() {
    pair sockets;
    std::atomic<bool> stopped{false};
    std::thread reader{read_until_stopped, sockets.ours, std::cref(stopped)};
    stopped = true;
    reader.join();
    check(::closesocket(std::exchange(sockets.ours, INVALID_SOCKET)) == 0, "closesocket");
}
// [/right]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", wrong}, {"right", right}});
}
