// result-wrong-socket: WSAGetOverlappedResult is asked of another socket than the operation was started on.
//
// An accept is an operation of the listener, so its result is the listener's, too. The accepted socket is the one that
// people ask, since it is the one they want; what they get then is not documented.

#include "pair.hpp"

#include "common/event.hpp"
#include "common/event_acceptor.hpp"
#include "common/extension_functions.hpp"
#include "common/overlapped_socket.hpp"

using namespace programs;

namespace {

// [accept]
constexpr DWORD address_room = sizeof(sockaddr_in) + 16;

struct accept_operation {
    OVERLAPPED overlapped{};
    char addresses[2 * address_room]{};
    iocp::unique_socket accepted = iocp::overlapped_socket(AF_INET);
};

void start(const listener& door, accept_operation& accept) {
    const iocp::extension_functions extensions{door.socket};
    DWORD bytes = 0;
    // submitted
    check(extensions.AcceptEx(door.socket, accept.accepted.get(), accept.addresses, 0, address_room, address_room,
                              &bytes, &accept.overlapped) ||
              ::WSAGetLastError() == ERROR_IO_PENDING,
          "AcceptEx");
}
// [/accept]

// [wrong]
void wrong() {
    const listener door{AF_INET};
    const iocp::unique_event event = iocp::make_event();
    accept_operation accept;
    accept.overlapped.hEvent = event.get();
    start(door, accept);
    const iocp::unique_socket client{door.connect()};
    wait_for(event.get());
    DWORD bytes = 0;
    DWORD flags = 0;
    // here: the accepted socket has not started anything
    ::WSAGetOverlappedResult(accept.accepted.get(), &accept.overlapped, &bytes, FALSE, &flags);
}
// [/wrong]

// [right]
void right() {
    const listener door{AF_INET};
    const iocp::unique_event event = iocp::make_event();
    accept_operation accept;
    accept.overlapped.hEvent = event.get();
    start(door, accept);
    const iocp::unique_socket client{door.connect()};
    wait_for(event.get());
    DWORD bytes = 0;
    DWORD flags = 0;
    check(::WSAGetOverlappedResult(door.socket, &accept.overlapped, &bytes, FALSE, &flags), "WSAGetOverlappedResult");
    iocp::update_accept_context(accept.accepted.get(), door.socket);
}
// [/right]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", wrong}, {"right", right}});
}
