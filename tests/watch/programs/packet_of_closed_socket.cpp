// packet-of-closed-socket: a packet comes for a socket that is closed, and its value is in use again.
//
// Who finds the connection by the value of its socket, or uses that as completion key, finds another one now: the end
// of the old connection's receive is taken for the new one's, and the new client is cut off.

#include "pair.hpp"

#include "common/overlapped_socket.hpp"

#include <utility>
#include <vector>

using namespace programs;

namespace {

// [receive]
OVERLAPPED overlapped;
char room[64];

void receive(SOCKET socket) {
    WSABUF buffer{sizeof room, room};
    DWORD flags = 0;
    // submitted
    check_submitted(::WSARecv(socket, &buffer, 1, nullptr, &flags, &overlapped, nullptr), "WSARecv");
}

iocp::unique_handle port_with_socket_as_key(SOCKET socket) {
    iocp::unique_handle port = iocp::make_port(0);
    iocp::associate(socket, port, socket);
    return port;
}

// New sockets until one has the value of the closed one. The system gives them out again soon, but does not say when.
std::vector<iocp::unique_socket> take_again(SOCKET closed) {
    constexpr std::size_t most = 64;
    std::vector<iocp::unique_socket> sockets;
    do {
        sockets.push_back(iocp::overlapped_socket(AF_INET));
    } while (sockets.back().get() != closed && sockets.size() < most);
    return sockets;
}
// [/receive]

// [wrong]
void wrong() {
    pair sockets;
    const iocp::unique_handle port = port_with_socket_as_key(sockets.ours);
    receive(sockets.ours);
    const SOCKET closed = std::exchange(sockets.ours, INVALID_SOCKET);
    check(::closesocket(closed) == 0, "closesocket");
    const std::vector<iocp::unique_socket> next_clients = take_again(closed);
    // here: whose packet is it?
    dequeue(port);
}
// [/wrong]

// [right]
void right() {
    pair sockets;
    const iocp::unique_handle port = port_with_socket_as_key(sockets.ours);
    receive(sockets.ours);
    check(::CancelIoEx(reinterpret_cast<HANDLE>(sockets.ours), &overlapped), "CancelIoEx");
    dequeue(port); // while the socket is open its value is its own
    const SOCKET closed = std::exchange(sockets.ours, INVALID_SOCKET);
    check(::closesocket(closed) == 0, "closesocket");
    const std::vector<iocp::unique_socket> next_clients = take_again(closed);
}
// [/right]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", wrong}, {"right", right}});
}
