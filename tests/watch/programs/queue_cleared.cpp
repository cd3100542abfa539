// queue-cleared: a client is let go and its outgoing queue is cleared, while the first message of it is being sent.
//
// Closing the socket begins the end of that send; it does not wait for it. Until its packet is here the system may read
// the message, whose last share has just gone.

#include "pair.hpp"

#include <deque>
#include <memory>
#include <string>
#include <utility>

using namespace programs;

namespace {

// [client]
struct client {
    SOCKET socket;
    OVERLAPPED sending{};
    std::deque<std::shared_ptr<const std::string>> queue; // the first one is lent to the send
};

void send_first(client& one) {
    const std::string& first = *one.queue.front();
    WSABUF buffer{static_cast<ULONG>(first.size()), const_cast<char*>(first.data())};
    // submitted
    check_submitted(::WSASend(one.socket, &buffer, 1, nullptr, 0, &one.sending, nullptr), "WSASend");
}

client busy_one(pair& sockets) {
    client one{std::exchange(sockets.ours, INVALID_SOCKET), {}, {}};
    for (const char letter : {'a', 'b', 'c'}) {
        one.queue.push_back(std::make_shared<const std::string>(1000, letter));
    }
    return one;
}
// [/client]

// [wrong]
void let_go(client& one) {
    check(::closesocket(one.socket) == 0, "closesocket");
    // here: nobody will read them now
    one.queue.clear();
}
// [/wrong]

void wrong() {
    pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    client one = busy_one(sockets);
    send_first(one);
    let_go(one);
    dequeue(port);
}

// [right]
void let_go_right(client& one) {
    check(::closesocket(one.socket) == 0, "closesocket");
    one.queue.erase(one.queue.begin() + 1, one.queue.end()); // all but what is lent
}
// [/right]

void right() {
    pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    client one = busy_one(sockets);
    send_first(one);
    let_go_right(one);
    dequeue(port);
    one.queue.clear();
}

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", wrong}, {"right", right}});
}
