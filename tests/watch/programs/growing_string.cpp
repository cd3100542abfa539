// growing-string: all that waits for a client is one string, and it grows while its beginning is being sent.
//
// A string that grows moves: it takes more memory elsewhere and frees what it had. That is what was lent.

#include "pair.hpp"

#include <deque>
#include <memory>
#include <string>

using namespace programs;

namespace {

OVERLAPPED sending;

// [send]
void send(SOCKET socket, const std::string& text) {
    WSABUF buffer{static_cast<ULONG>(text.size()), const_cast<char*>(text.data())};
    // submitted
    check_submitted(::WSASend(socket, &buffer, 1, nullptr, 0, &sending, nullptr), "WSASend");
}
// [/send]

// [wrong]
std::string outgoing;

void deliver(const std::string& line) {
    // here: what is being sent is in it
    outgoing += line;
}
// [/wrong]

void wrong() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    deliver(std::string(1000, 'a'));
    send(sockets.ours, outgoing);
    deliver(std::string(1000, 'b'));
    dequeue(port);
}

// [right]
std::deque<std::shared_ptr<const std::string>> queue;

void deliver_right(const std::string& line) {
    queue.push_back(std::make_shared<const std::string>(line)); // the others stay where they are
}
// [/right]

void right() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    deliver_right(std::string(1000, 'a'));
    send(sockets.ours, *queue.front());
    deliver_right(std::string(1000, 'b'));
    dequeue(port);
}

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", wrong}, {"right", right}});
}
