// connectex-unbound: ConnectEx is called on a socket that was not bound.
//
// connect gives an unbound socket an address by itself. ConnectEx does not, as Microsoft documents: it fails at once
// with WSAEINVAL (10022), and no packet comes.

#include "pair.hpp"

#include "common/event.hpp"
#include "common/overlapped_socket.hpp"

#include <mswsock.h>

using namespace programs;

namespace {

// [connect]
// \return 0 when the socket is connected, otherwise the code with which ConnectEx has failed
int connect_to(const listener& door, const iocp::unique_socket& socket) {
    GUID name = WSAID_CONNECTEX;
    LPFN_CONNECTEX connect_ex = nullptr;
    DWORD bytes = 0;
    check(::WSAIoctl(socket.get(), SIO_GET_EXTENSION_FUNCTION_POINTER, &name, sizeof name, &connect_ex,
                     sizeof connect_ex, &bytes, nullptr, nullptr) == 0,
          "WSAIoctl");
    const iocp::unique_event event = iocp::make_event();
    OVERLAPPED overlapped{};
    overlapped.hEvent = event.get();
    if (!connect_ex(socket.get(), door.where.get(), door.where.length(), nullptr, 0, &bytes, &overlapped)) {
        const int code = ::WSAGetLastError();
        if (code != ERROR_IO_PENDING) {
            return code;
        }
    }
    DWORD flags = 0;
    check(::WSAGetOverlappedResult(socket.get(), &overlapped, &bytes, TRUE, &flags), "WSAGetOverlappedResult");
    return 0;
}

void tell(int code) {
    if (code == 0) {
        well("The socket is connected.");
    } else {
        harm("ConnectEx has failed with " + std::to_string(code) + ", and the socket is not connected.");
    }
}
// [/connect]

// [wrong]
void wrong() {
    const listener door{AF_INET};
    const iocp::unique_socket socket = iocp::overlapped_socket(AF_INET);
    tell(connect_to(door, socket));
}
// [/wrong]

// [right]
void right() {
    const listener door{AF_INET};
    const iocp::unique_socket socket = iocp::overlapped_socket(AF_INET);
    sockaddr_in any{}; // any local address, any free port
    any.sin_family = AF_INET;
    check(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0, "bind");
    tell(connect_to(door, socket));
}
// [/right]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", wrong}, {"right", right}});
}
