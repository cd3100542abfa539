// worker-ends-on-failure: a worker leaves its loop when GetQueuedCompletionStatus returns FALSE.
//
// FALSE with an OVERLAPPED says that an operation has failed, and the port is as good as ever. One client that resets
// ends the worker, and with as many of them as there are workers nobody is served any more.

#include "pair.hpp"

#include <thread>
#include <utility>

using namespace programs;

namespace {

// [connection]
struct connection : OVERLAPPED {
    explicit connection(SOCKET accepted) : OVERLAPPED{}, socket{accepted} {}

    void receive() {
        static_cast<OVERLAPPED&>(*this) = {};
        WSABUF buffer{sizeof room, room};
        DWORD flags = 0;
        check_submitted(::WSARecv(socket, &buffer, 1, nullptr, &flags, this, nullptr), "WSARecv");
    }

    SOCKET socket;
    char room[64];
};

void answer(connection& one, DWORD bytes) {
    say(one.socket, {one.room, bytes});
    one.receive();
}
// [/connection]

// [wrong]
void work(HANDLE port) {
    DWORD bytes = 0;
    ULONG_PTR key = 0;
    OVERLAPPED* back = nullptr;
    while (::GetQueuedCompletionStatus(port, &bytes, &key, &back, INFINITE) && back != nullptr) {
        answer(*static_cast<connection*>(back), bytes);
    } // FALSE: the port has failed, so there is nothing left to do?
}
// [/wrong]

// [right]
void work_right(HANDLE port) {
    for (;;) {
        DWORD bytes = 0;
        ULONG_PTR key = 0;
        OVERLAPPED* back = nullptr;
        const BOOL good = ::GetQueuedCompletionStatus(port, &bytes, &key, &back, INFINITE);
        if (back == nullptr) {
            return; // the packet that stops a worker, or the port itself has failed
        }
        if (good) {
            answer(*static_cast<connection*>(back), bytes);
        } // otherwise one client has left, and the next packet is as good as any
    }
}
// [/right]

// One worker and two clients: the first one has reset, the second one has said a word, in this order, and the packet
// that stops the worker is the last one.
void serve(void (*working)(HANDLE)) {
    pair first;
    pair second;
    const iocp::unique_handle port = port_of(first);
    check(::CreateIoCompletionPort(reinterpret_cast<HANDLE>(second.ours), port.get(), 0, 0) != nullptr,
          "CreateIoCompletionPort");
    connection one{first.ours};
    connection two{second.ours};
    one.receive();
    two.receive();
    reset(first.theirs);
    wait_until_ended(one);
    say(second.theirs, "hello");
    wait_until_ended(two);
    check(::PostQueuedCompletionStatus(port.get(), 0, 0, nullptr), "PostQueuedCompletionStatus");

    std::thread{working, port.get()}.join();

    DWORD bytes = 0;
    ULONG_PTR key = 0;
    OVERLAPPED* left = nullptr;
    ::GetQueuedCompletionStatus(port.get(), &bytes, &key, &left, 0);
    if (left == &two) {
        harm(
            "One client has reset, and the worker has ended. What another client said is still in the port, and nobody "
            "takes it out.");
        return;
    }
    char echo[5];
    check(::recv(second.theirs, echo, sizeof echo, MSG_WAITALL) == sizeof echo, "recv");
    well("One client has reset, and another one has its echo.");
    check(::closesocket(std::exchange(second.ours, INVALID_SOCKET)) == 0, "closesocket");
    dequeue(port); // its next receive
}

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", [] { serve(work); }}, {"right", [] { serve(work_right); }}});
}
