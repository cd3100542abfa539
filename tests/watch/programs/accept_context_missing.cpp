// accept-context-missing: a socket that AcceptEx has connected is used before SO_UPDATE_ACCEPT_CONTEXT is set.
//
// Windows knows it as connected for sends and receives only. Until the option tells it of its listener, shutdown,
// getpeername and getsockname fail with WSAENOTCONN (10057). Wine does not care, so the mistake is easily overlooked.

#include "pair.hpp"

#include "common/event.hpp"
#include "common/extension_functions.hpp"
#include "common/overlapped_socket.hpp"

using namespace programs;

namespace {

// [accept]
constexpr DWORD address_room = sizeof(sockaddr_in) + 16;

struct accepted_connection {
    accepted_connection();

    listener door{AF_INET};
    iocp::unique_socket socket = iocp::overlapped_socket(AF_INET);
    iocp::unique_socket client;
};

accepted_connection::accepted_connection() {
    const iocp::extension_functions extensions{door.socket};
    const iocp::unique_event event = iocp::make_event();
    OVERLAPPED overlapped{};
    overlapped.hEvent = event.get();
    char addresses[2 * address_room];
    DWORD bytes = 0;
    const BOOL done =
        extensions.AcceptEx(door.socket, socket.get(), addresses, 0, address_room, address_room, &bytes, &overlapped);
    check(done || ::WSAGetLastError() == ERROR_IO_PENDING, "AcceptEx");
    client.reset(door.connect());
    DWORD flags = 0;
    check(::WSAGetOverlappedResult(door.socket, &overlapped, &bytes, TRUE, &flags), "WSAGetOverlappedResult");
}
// [/accept]

// [wrong]
void wrong() {
    const accepted_connection connection;
    // here
    ::shutdown(connection.socket.get(), SD_SEND); // fails, so the client waits for the end of the stream
}
// [/wrong]

// [right]
void right() {
    const accepted_connection connection;
    check(::setsockopt(connection.socket.get(), SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT,
                       reinterpret_cast<const char*>(&connection.door.socket), sizeof connection.door.socket) == 0,
          "setsockopt");
    check(::shutdown(connection.socket.get(), SD_SEND) == 0, "shutdown");
}
// [/right]

// [wrong_getpeername]
void wrong_getpeername() {
    const accepted_connection connection;
    sockaddr_in peer{};
    int length = sizeof peer;
    // here
    ::getpeername(connection.socket.get(), reinterpret_cast<sockaddr*>(&peer), &length);
}
// [/wrong_getpeername]

// [wrong_getsockname]
void wrong_getsockname() {
    const accepted_connection connection;
    sockaddr_in own{};
    int length = sizeof own;
    // here
    ::getsockname(connection.socket.get(), reinterpret_cast<sockaddr*>(&own), &length);
}
// [/wrong_getsockname]

// [right_send]
// Sends, receives and closesocket do without the option.
void right_send() {
    const accepted_connection connection;
    say(connection.socket.get(), "hello");
}
// [/right_send]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv,
               {{"wrong", wrong},
                {"wrong getpeername", wrong_getpeername},
                {"wrong getsockname", wrong_getsockname},
                {"right", right},
                {"right send", right_send}});
}
