// closed-at-half-close: a connection is closed when the client half-closes, and a send is still in flight.
//
// A receive of 0 bytes says that the client sends no more. It says nothing about what the client still wants to read:
// closesocket ends the send that is in flight, and the rest of the echo is lost.

#include "pair.hpp"

#include <future>
#include <string>
#include <utility>
#include <vector>

using namespace programs;

namespace {

// [connection]
// A server's end with a receive and a send in flight. The client does not read yet, so the send stays in flight.
struct connection {
    connection() : port{port_of(sockets)}, echo(8U << 20, 'e') {
        constexpr int none = 0; // what is in flight is then on its way from our memory
        check(::setsockopt(sockets.ours, SOL_SOCKET, SO_SNDBUF, reinterpret_cast<const char*>(&none), sizeof none) == 0,
              "setsockopt");
        WSABUF whole{static_cast<ULONG>(echo.size()), echo.data()};
        check_submitted(::WSASend(sockets.ours, &whole, 1, nullptr, 0, &send, nullptr), "WSASend");
        WSABUF buffer{sizeof room, room};
        DWORD flags = 0;
        check_submitted(::WSARecv(sockets.ours, &buffer, 1, nullptr, &flags, &receive, nullptr), "WSARecv");
    }

    void close() { check(::closesocket(std::exchange(sockets.ours, INVALID_SOCKET)) == 0, "closesocket"); }

    pair sockets;
    iocp::unique_handle port;
    std::vector<char> echo;
    char room[64];
    OVERLAPPED send{};
    OVERLAPPED receive{};
};

void half_close(SOCKET client) {
    check(::shutdown(client, SD_SEND) == 0, "shutdown");
}

void compare(std::size_t owed, std::size_t came) {
    if (came == owed) {
        well("The client has half-closed, and all " + std::to_string(owed) + " bytes of its echo came.");
    } else {
        harm("The client has half-closed, and of its echo only a part came: some of the " + std::to_string(owed) +
             " bytes were still in flight when the socket was closed.");
    }
}
// [/connection]

// [wrong]
void wrong() {
    connection one;
    half_close(one.sockets.theirs);
    dequeue(one.port); // the receive: 0 bytes, so the client has gone?
    check(::CancelIoEx(reinterpret_cast<HANDLE>(one.sockets.ours), nullptr), "CancelIoEx");
    one.close();
    dequeue(one.port); // the send: it has failed
    compare(one.echo.size(), count_to_the_end(one.sockets.theirs));
}
// [/wrong]

// [right]
void right() {
    connection one;
    half_close(one.sockets.theirs);
    dequeue(one.port); // the receive: 0 bytes, so nothing more is to be received
    auto reader = std::async(std::launch::async, count_to_the_end, one.sockets.theirs);
    dequeue(one.port); // the send: now nothing is in flight
    check(::shutdown(one.sockets.ours, SD_SEND) == 0, "shutdown");
    one.close();
    compare(one.echo.size(), reader.get());
}
// [/right]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", wrong}, {"right", right}});
}
