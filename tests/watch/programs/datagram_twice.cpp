// datagram-twice: a datagram that does not fit is there before its receive, and the receive is taken to have ended
// twice.
//
// The call fails with 10040. The rule says that after a failure nothing follows. For this one code a packet comes all
// the same, with 234: whoever has freed the receive, or submitted it again, has two owners for it then.

#include "datagrams.hpp"

#include <string>

using namespace programs;

namespace {

// [receive]
struct receive {
    OVERLAPPED overlapped{};
    sockaddr_in from{};
    INT from_length = sizeof(sockaddr_in);
    char room[4];
};

// \return 0, or the code of the call
int submit(SOCKET socket, receive& one) {
    WSABUF buffer{sizeof one.room, one.room};
    DWORD flags = 0;
    const int returned = ::WSARecvFrom(socket, &buffer, 1, nullptr, &flags, reinterpret_cast<sockaddr*>(&one.from),
                                       &one.from_length, &one.overlapped, nullptr);
    return returned == 0 ? 0 : ::WSAGetLastError();
}
// [/receive]

// [wrong]
bool has_ended_at_once(int code) {
    return code != 0 && code != WSA_IO_PENDING;
}
// [/wrong]

// [right]
bool has_ended_at_once_right(int code) {
    return code != 0 && code != WSA_IO_PENDING && code != WSAEMSGSIZE;
}
// [/right]

void run_with(bool (*ended_at_once)(int)) {
    const datagram_sockets sockets;
    sockets.say("long words");
    receive one;
    int ends = 0;
    const int code = submit(sockets.ours.get(), one);
    if (ended_at_once(code)) {
        ++ends;
    }
    constexpr DWORD a_moment = 200; // on loopback it is there already
    const iocp::packet packet = iocp::dequeue(sockets.port, a_moment);
    if (packet.overlapped == &one.overlapped) {
        ++ends;
    }
    const std::string how = "The call failed with " + std::to_string(code) + ", and the packet said " +
                            std::to_string(packet.ended.error) + ".";
    if (ends == 2) {
        harm(how + " The receive was taken back twice.");
    } else {
        well(how + " The receive was taken back once.");
    }
}

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv,
               {{"wrong", [] { run_with(has_ended_at_once); }}, {"right", [] { run_with(has_ended_at_once_right); }}});
}
