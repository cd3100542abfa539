// concurrent-send: two threads are inside WSASend on one socket.
//
// Windows sends a stream in the order of the calls, and two threads have no order. A long message may go out in several
// pieces, with the other thread's message in the middle of it: the client cannot make sense of either.

#include "pair.hpp"

#include "common/event.hpp"

#include <thread>
#include <vector>

using namespace programs;

namespace {

// [send]
constexpr ULONG report_size = 32 << 20; // more than a connection holds while nobody reads
char heartbeat[] = {'a', 'l', 'i', 'v', 'e'};

void send_report(SOCKET socket) {
    std::vector<char> report(report_size);
    WSABUF buffer{report_size, report.data()};
    DWORD sent = 0;
    // inside this call until all of it is on its way
    check(::WSASend(socket, &buffer, 1, &sent, 0, nullptr, nullptr) == 0, "WSASend");
}

void send_heartbeat(SOCKET socket, OVERLAPPED& overlapped) {
    WSABUF buffer{sizeof heartbeat, heartbeat};
    // here
    check_submitted(::WSASend(socket, &buffer, 1, nullptr, 0, &overlapped, nullptr), "WSASend");
}
// [/send]

void read(SOCKET socket, ULONG bytes) {
    std::vector<char> room(1 << 20);
    while (bytes > 0) {
        const int read = ::recv(socket, room.data(), static_cast<int>(bytes < room.size() ? bytes : room.size()), 0);
        check(read > 0, "recv");
        bytes -= static_cast<ULONG>(read);
    }
}

void wait_until_sent(SOCKET socket, OVERLAPPED& overlapped) {
    DWORD bytes = 0;
    DWORD flags = 0;
    check(::WSAGetOverlappedResult(socket, &overlapped, &bytes, TRUE, &flags), "WSAGetOverlappedResult");
}

// [wrong]
void wrong() {
    const pair sockets;
    const iocp::unique_event event = iocp::make_event();
    OVERLAPPED overlapped{};
    overlapped.hEvent = event.get();
    std::thread reporter{send_report, sockets.ours};
    read(sockets.theirs, 1); // some of the report is here: the reporter is inside WSASend, until we read on
    send_heartbeat(sockets.ours, overlapped);
    read(sockets.theirs, report_size - 1 + sizeof heartbeat);
    reporter.join();
    wait_until_sent(sockets.ours, overlapped);
}
// [/wrong]

// [right]
void right() {
    const pair sockets;
    const iocp::unique_event event = iocp::make_event();
    OVERLAPPED overlapped{};
    overlapped.hEvent = event.get();
    std::thread reporter{send_report, sockets.ours};
    read(sockets.theirs, report_size);
    reporter.join(); // one after the other
    send_heartbeat(sockets.ours, overlapped);
    read(sockets.theirs, sizeof heartbeat);
    wait_until_sent(sockets.ours, overlapped);
}
// [/right]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", wrong}, {"right", right}});
}
