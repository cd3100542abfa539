// received-too-early: the next receive of a client is submitted before what it has brought is handed on.
//
// Then a second worker can have the client's next line while the first one still has this one, and whoever is held up
// for a moment is overtaken. A lock around the handing on does not help: it is taken in the wrong order.

#include "pair.hpp"

#include "common/event.hpp"

#include <mutex>
#include <string>
#include <thread>

using namespace programs;

namespace {

// [client]
struct talker {
    explicit talker(SOCKET from) : socket{from} {}

    const SOCKET socket;
    OVERLAPPED receiving{};
    char room[64]{};
    iocp::unique_event received_again = iocp::make_event();
    iocp::unique_event second_handed_on = iocp::make_event();
};

void receive(talker& from) {
    WSABUF buffer{5, from.room};
    DWORD flags = 0;
    check_submitted(::WSARecv(from.socket, &buffer, 1, nullptr, &flags, &from.receiving, nullptr), "WSARecv");
    ::SetEvent(from.received_again.get());
}

std::mutex lock;
std::string handed_on;

void hand_on(const std::string& line) {
    const std::lock_guard guard{lock};
    handed_on += line;
}
// [/client]

// [wrong]
void first_worker(talker& from) {
    const std::string line{from.room, 5};
    receive(from);                         // so that the client need not wait
    wait_for(from.second_handed_on.get()); // whatever holds up a thread here for a moment
    hand_on(line);
}
// [/wrong]

// [right]
void first_worker_right(talker& from) {
    hand_on(std::string{from.room, 5});
    receive(from); // now its next line may come
}
// [/right]

void serve(void (*first)(talker&)) {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    talker from{sockets.ours};
    receive(from);
    ::ResetEvent(from.received_again.get());
    say(sockets.theirs, "one, ");
    std::thread worker{[&] {
        dequeue(port);
        first(from);
        wait_for(from.second_handed_on.get()); // a worker outlives the operations that it has submitted
    }};
    wait_for(from.received_again.get());
    say(sockets.theirs, "two, ");
    dequeue(port); // this thread is the second worker
    hand_on(std::string{from.room, 5});
    ::SetEvent(from.second_handed_on.get());
    worker.join();
}

void wrong() {
    serve(first_worker);
    check(handed_on == "two, one, ", "the order");
    harm("A client said one, two. It was handed on as two, one.");
}

void right() {
    serve(first_worker_right);
    check(handed_on == "one, two, ", "the order");
    well("A client said one, two. It was handed on as one, two.");
}

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", wrong}, {"right", right}});
}
