// closed-with-unread-input: closesocket while there is input that nobody has read.
//
// The system answers such input with a reset, and a reset destroys what is still on its way to the client, sends that
// have succeeded among it.

#include "pair.hpp"

#include <future>
#include <string>
#include <utility>
#include <vector>

using namespace programs;

namespace {

// [connection]
// Sends until the system takes no more. All these sends have succeeded, and the client has read nothing yet.
std::size_t fill(SOCKET socket) {
    u_long yes = 1;
    check(::ioctlsocket(socket, FIONBIO, &yes) == 0, "ioctlsocket");
    const std::vector<char> block(65'536, 'e');
    std::size_t sent = 0;
    for (int taken = 0; taken >= 0; taken = ::send(socket, block.data(), static_cast<int>(block.size()), 0)) {
        sent += static_cast<std::size_t>(taken);
    }
    check(::WSAGetLastError() == WSAEWOULDBLOCK, "send");
    u_long no = 0;
    check(::ioctlsocket(socket, FIONBIO, &no) == 0, "ioctlsocket");
    return sent;
}

void close(SOCKET& socket) {
    check(::closesocket(std::exchange(socket, INVALID_SOCKET)) == 0, "closesocket");
}

void compare(std::size_t sent, std::size_t came) {
    if (came == sent) {
        well("Every byte came that was sent, and then the end of the stream.");
    } else {
        harm("Every send has succeeded, and only a part came: closing with unread input has reset the connection.");
    }
}
// [/connection]

// [wrong]
void wrong() {
    pair sockets;
    const std::size_t sent = fill(sockets.ours);
    make_readable(sockets); // one word more from the client, which nobody wants to read
    // here
    close(sockets.ours);
    compare(sent, count_to_the_end(sockets.theirs));
}
// [/wrong]

// [right]
void right() {
    pair sockets;
    const std::size_t sent = fill(sockets.ours);
    make_readable(sockets);
    check(::shutdown(sockets.ours, SD_SEND) == 0, "shutdown"); // we send no more
    auto client = std::async(std::launch::async, [&sockets] {
        const std::size_t came = count_to_the_end(sockets.theirs);
        close(sockets.theirs);
        return came;
    });
    count_to_the_end(sockets.ours); // what still comes, until the client has closed
    close(sockets.ours);
    compare(sent, client.get());
}
// [/right]

// [right_reset]
void right_reset() {
    pair sockets;
    fill(sockets.ours);
    make_readable(sockets);
    reset(sockets.ours); // a reset is what is wanted
}
// [/right_reset]

// [right_stuck]
void right_stuck() {
    pair sockets;
    fill(sockets.ours);
    make_readable(sockets);
    static char more[] = "more";
    static OVERLAPPED overlapped{};
    WSABUF buffer{sizeof more, more};
    const iocp::unique_handle port = port_of(sockets);
    check_submitted(::WSASend(sockets.ours, &buffer, 1, nullptr, 0, &overlapped, nullptr), "WSASend");
    check(::CancelIoEx(reinterpret_cast<HANDLE>(sockets.ours), &overlapped), "CancelIoEx");
    close(sockets.ours); // with a send in flight nobody takes it that all was sent
    dequeue(port);
}
// [/right_stuck]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv,
               {{"wrong", wrong}, {"right", right}, {"right reset", right_reset}, {"right stuck", right_stuck}});
}
