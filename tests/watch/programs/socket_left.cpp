// socket-left: the program comes to its end, and a socket is still open.
//
// The system closes it then. A server does not come to its end: there each such socket is a handle and some memory for
// good, and a client that waits.

#include "pair.hpp"

#include "common/overlapped_socket.hpp"

using namespace programs;

namespace {

// [wrong]
bool listen_on(const iocp::address& where) {
    // submitted
    const SOCKET socket =
        ::WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, nullptr, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    check(socket != INVALID_SOCKET, "WSASocketW");
    if (::bind(socket, where.get(), where.length()) == SOCKET_ERROR) {
        return false; // the address is in use, and the socket is forgotten
    }
    check(::closesocket(socket) == 0, "closesocket");
    return true;
}

void wrong() {
    const listener other{AF_INET};
    listen_on(other.where);
}
// [/wrong]

// [right]
bool listen_on_right(const iocp::address& where) {
    const iocp::unique_socket socket = iocp::overlapped_socket(AF_INET); // closes it, whichever way leads out
    return ::bind(socket.get(), where.get(), where.length()) == 0;
}

void right() {
    const listener other{AF_INET};
    listen_on_right(other.where);
}
// [/right]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", wrong}, {"right", right}});
}
