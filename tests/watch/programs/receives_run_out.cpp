// receives-run-out: a receive that has failed is not submitted again.
//
// With a stream that is right: the connection is lost. A socket for datagrams goes on, and the next datagram is
// somebody else's. Each failure takes one receive out, and after the last one nobody is heard any more, without a word.

#include "datagrams.hpp"

using namespace programs;

namespace {

// [receive]
struct receive : OVERLAPPED {
    sockaddr_in from{};
    INT from_length = 0;
    char room[8];
};

void submit(SOCKET socket, receive& one) {
    static_cast<OVERLAPPED&>(one) = {};
    one.from_length = sizeof one.from;
    WSABUF buffer{sizeof one.room, one.room};
    DWORD flags = 0;
    check_submitted(::WSARecvFrom(socket, &buffer, 1, nullptr, &flags, reinterpret_cast<sockaddr*>(&one.from),
                                  &one.from_length, &one, nullptr),
                    "WSARecvFrom");
}
// [/receive]

// [wrong]
bool goes_on(DWORD error) {
    return error == ERROR_SUCCESS; // else it is lost, as a connection would be
}
// [/wrong]

// [right]
bool goes_on_right(DWORD) {
    return true; // a datagram is lost, not the socket
}
// [/right]

void run_with(bool (*next)(DWORD)) {
    datagram_sockets sockets;
    receive both[2];
    for (receive& each : both) {
        submit(sockets.ours.get(), each);
    }
    int in_flight = 2;
    for (const char* const words : {"this one is too long", "and this one as well", "hello"}) {
        sockets.say(words);
        constexpr DWORD a_moment = 200; // on loopback it is there already
        const iocp::packet packet = iocp::dequeue(sockets.port, a_moment);
        if (packet.overlapped == nullptr) {
            harm("Two datagrams were too long. The third one is not, and no receive is left for it.");
            return;
        }
        --in_flight;
        if (next(packet.ended.error)) {
            submit(sockets.ours.get(), static_cast<receive&>(*packet.overlapped));
            ++in_flight;
        }
    }
    sockets.ours.reset();
    while (in_flight-- > 0) {
        dequeue(sockets.port); // all is back before it goes
    }
    well("Two datagrams were too long. The third one was received.");
}

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", [] { run_with(goes_on); }}, {"right", [] { run_with(goes_on_right); }}});
}
