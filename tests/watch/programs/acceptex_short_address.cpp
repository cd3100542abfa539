// acceptex-short-address: AcceptEx is told of less room for an address than it takes.
//
// The system keeps an address in a form of its own, which takes 16 bytes more than its sockaddr, and the sockaddr is
// that of the listener's family: 16 + 16 bytes for IPv4, 28 + 16 for IPv6. With less AcceptEx fails on Windows. Wine
// takes it, and leaves the addresses out or cuts them off. Room of 0 for the local address leaves that out, on Windows
// too.

#include "pair.hpp"

#include "common/event.hpp"
#include "common/event_acceptor.hpp"
#include "common/extension_functions.hpp"
#include "common/overlapped_socket.hpp"

#include <ws2tcpip.h>

using namespace programs;

namespace {

// [accept]
OVERLAPPED overlapped;
char addresses[2 * (sizeof(sockaddr_in6) + 16)];

enum class found_by { ioctl, import };

void accept(int family, DWORD local_room, DWORD remote_room, found_by where = found_by::ioctl) {
    const listener door{family};
    const iocp::unique_socket accepted = iocp::overlapped_socket(family);
    const iocp::extension_functions extensions{door.socket};
    // A program that is linked with mswsock.lib has the function in its import table as well.
    const LPFN_ACCEPTEX accept_ex = where == found_by::ioctl ? extensions.AcceptEx : &::AcceptEx;
    const iocp::unique_event event = iocp::make_event();
    overlapped.hEvent = event.get();
    DWORD bytes = 0;
    // here
    const BOOL done =
        accept_ex(door.socket, accepted.get(), addresses, 0, local_room, remote_room, &bytes, &overlapped);
    if (!done && ::WSAGetLastError() != ERROR_IO_PENDING) {
        return; // refused for its short addresses
    }
    const iocp::unique_socket client{door.connect()};
    DWORD flags = 0;
    if (::WSAGetOverlappedResult(door.socket, &overlapped, &bytes, TRUE, &flags)) {
        iocp::update_accept_context(accepted.get(), door.socket);
    }
}
// [/accept]

// [wrong]
void wrong() {
    accept(AF_INET, sizeof(sockaddr_in), sizeof(sockaddr_in));
}
// [/wrong]

// [right]
void right() {
    accept(AF_INET, sizeof(sockaddr_in) + 16, sizeof(sockaddr_in) + 16);
}
// [/right]

// [wrong_inet6]
void wrong_inet6() {
    accept(AF_INET6, sizeof(sockaddr_in) + 16, sizeof(sockaddr_in) + 16);
}
// [/wrong_inet6]

// [right_inet6]
void right_inet6() {
    accept(AF_INET6, sizeof(sockaddr_in6) + 16, sizeof(sockaddr_in6) + 16);
}
// [/right_inet6]

// [wrong_import]
void wrong_import() {
    accept(AF_INET, sizeof(sockaddr_in), sizeof(sockaddr_in), found_by::import);
}
// [/wrong_import]

// [right_import]
void right_import() {
    accept(AF_INET, sizeof(sockaddr_in) + 16, sizeof(sockaddr_in) + 16, found_by::import);
}
// [/right_import]

// [right_none]
void right_none() {
    accept(AF_INET, 0, sizeof(sockaddr_in) + 16);
}
// [/right_none]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv,
               {{"wrong", wrong},
                {"wrong inet6", wrong_inet6},
                {"wrong import", wrong_import},
                {"right", right},
                {"right inet6", right_inet6},
                {"right import", right_import},
                {"right none", right_none}});
}
