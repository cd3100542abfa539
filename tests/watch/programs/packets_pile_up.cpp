// packets-pile-up: packets are posted to a port and nobody dequeues them.
//
// Each packet takes memory of the system until somebody has it. A wake-up that is posted for every event, with no
// worker that takes it, grows without end and is seen nowhere in the program's own memory.

#include "pair.hpp"

using namespace programs;

namespace {

// [post]
constexpr int many = 2000;
OVERLAPPED news{}; // the same for all: nothing is written there

void post(const iocp::unique_handle& port) {
    check(::PostQueuedCompletionStatus(port.get(), 0, 0, &news), "PostQueuedCompletionStatus");
}
// [/post]

// [wrong]
void wrong() {
    const iocp::unique_handle port = iocp::make_port(0);
    for (int i = 0; i < many; ++i) {
        post(port);
    }
}
// [/wrong]

// [right]
void right() {
    const iocp::unique_handle port = iocp::make_port(0);
    for (int i = 0; i < many; ++i) {
        post(port);
        dequeue(port);
    }
}
// [/right]

// [right_later]
void right_later() {
    const iocp::unique_handle port = iocp::make_port(0);
    for (int i = 0; i < many; ++i) {
        post(port);
    }
    for (int i = 0; i < many; ++i) {
        dequeue(port);
    }
}
// [/right_later]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", wrong}, {"right", right}, {"right later", right_later}});
}
