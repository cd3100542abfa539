// packet-from-elsewhere: a packet comes that no call of this program has brought about.
//
// A job sends its news to a port, too. Its packet has a process id where others have an OVERLAPPED: a worker that casts
// every pointer to its own structure reads memory that is not there. The key tells them apart.

#include "pair.hpp"

using namespace programs;

namespace {

constexpr ULONG_PTR job_key = 1;
constexpr ULONG_PTR own_key = 2;

// [wrong]
void wrong() {
    const iocp::unique_handle port = iocp::make_port(0);
    const iocp::unique_handle job{::CreateJobObjectW(nullptr, nullptr)};
    check(job.get() != nullptr, "CreateJobObjectW");
    JOBOBJECT_ASSOCIATE_COMPLETION_PORT news{reinterpret_cast<void*>(job_key), port.get()};
    check(::SetInformationJobObject(job.get(), JobObjectAssociateCompletionPortInformation, &news, sizeof news),
          "SetInformationJobObject");
    check(::AssignProcessToJobObject(job.get(), ::GetCurrentProcess()), "AssignProcessToJobObject");
    // here: JOB_OBJECT_MSG_NEW_PROCESS
    dequeue(port);
}
// [/wrong]

// [right]
void right() {
    const iocp::unique_handle port = iocp::make_port(0);
    OVERLAPPED news{}; // a packet of our own may have one, and here it is one
    check(::PostQueuedCompletionStatus(port.get(), 0, own_key, &news), "PostQueuedCompletionStatus");
    dequeue(port);
}
// [/right]

// [right_datagram]
// A datagram that does not fit: the receive fails at once, and its packet comes all the same.
void right_datagram() {
    const iocp::unique_socket here{::WSASocketW(AF_INET, SOCK_DGRAM, IPPROTO_UDP, nullptr, 0, WSA_FLAG_OVERLAPPED)};
    check(here.get() != INVALID_SOCKET, "WSASocketW");
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int length = sizeof where;
    check(::bind(here.get(), reinterpret_cast<const sockaddr*>(&where), length) == 0, "bind");
    check(::getsockname(here.get(), reinterpret_cast<sockaddr*>(&where), &length) == 0, "getsockname");
    const iocp::unique_handle port = iocp::make_port(0);
    iocp::associate(here.get(), port, own_key);
    check(::sendto(here.get(), "long words", 10, 0, reinterpret_cast<const sockaddr*>(&where), length) == 10, "sendto");
    WSAPOLLFD readable{here.get(), POLLRDNORM, 0};
    check(::WSAPoll(&readable, 1, static_cast<INT>(patience_ms)) == 1, "WSAPoll");
    char room[4];
    WSABUF buffer{sizeof room, room};
    DWORD flags = 0;
    OVERLAPPED overlapped{};
    ::WSARecv(here.get(), &buffer, 1, nullptr, &flags, &overlapped, nullptr); // WSAEMSGSIZE, or pending
    DWORD bytes = 0;
    ULONG_PTR key = 0;
    OVERLAPPED* back = nullptr;
    check(!::GetQueuedCompletionStatus(port.get(), &bytes, &key, &back, patience_ms), "it has fitted");
    check(back == &overlapped, "GetQueuedCompletionStatus");
}
// [/right_datagram]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", wrong}, {"right", right}, {"right datagram", right_datagram}});
}
