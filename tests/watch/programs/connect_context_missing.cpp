// connect-context-missing: a socket that ConnectEx has connected is used before SO_UPDATE_CONNECT_CONTEXT is set.
//
// Windows knows it as connected for sends and receives only. Until the option is set, which takes no value, shutdown,
// getpeername and getsockname fail with WSAENOTCONN (10057). Wine does not care, so the mistake is easily overlooked.

#include "pair.hpp"

#include "common/event.hpp"
#include "common/overlapped_socket.hpp"

#include <mswsock.h>

using namespace programs;

namespace {

// [connect]
struct connection {
    connection();

    listener door{AF_INET};
    iocp::unique_socket socket = iocp::overlapped_socket(AF_INET);
};

connection::connection() {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    check(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0, "bind");
    GUID name = WSAID_CONNECTEX;
    LPFN_CONNECTEX connect_ex = nullptr;
    DWORD bytes = 0;
    check(::WSAIoctl(socket.get(), SIO_GET_EXTENSION_FUNCTION_POINTER, &name, sizeof name, &connect_ex,
                     sizeof connect_ex, &bytes, nullptr, nullptr) == 0,
          "WSAIoctl");
    const iocp::unique_event event = iocp::make_event();
    OVERLAPPED overlapped{};
    overlapped.hEvent = event.get();
    check(connect_ex(socket.get(), door.where.get(), door.where.length(), nullptr, 0, &bytes, &overlapped) ||
              ::WSAGetLastError() == ERROR_IO_PENDING,
          "ConnectEx");
    DWORD flags = 0;
    check(::WSAGetOverlappedResult(socket.get(), &overlapped, &bytes, TRUE, &flags), "WSAGetOverlappedResult");
}
// [/connect]

// [wrong]
void wrong() {
    const connection connected;
    // here
    ::shutdown(connected.socket.get(), SD_SEND); // fails, so the server waits for the end of the stream
}
// [/wrong]

// [right]
void right() {
    const connection connected;
    check(::setsockopt(connected.socket.get(), SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, nullptr, 0) == 0, "setsockopt");
    check(::shutdown(connected.socket.get(), SD_SEND) == 0, "shutdown");
}
// [/right]

// [right_send]
// Sends, receives and closesocket do without the option.
void right_send() {
    const connection connected;
    say(connected.socket.get(), "hello");
}
// [/right_send]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", wrong}, {"right", right}, {"right send", right_send}});
}
