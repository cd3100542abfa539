// two-locks: each of two workers has its own client's lock, and waits for the other one's.
//
// Two clients of a chat say something at the same moment. Each worker locks the client that it has a packet of, and
// then the one that it hands the line on to. Neither ever goes on, and soon no worker of the server does.

#include "pair.hpp"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

using namespace programs;

namespace {

constexpr std::chrono::seconds for_ever{2}; // for this program

// Both are there, or nobody goes on. Not a std::latch: that of GCC 12 for Windows now and then forgets to wake one of
// them.
class meeting {
public:
    void arrive_and_wait() {
        std::unique_lock guard{lock_};
        --missing_;
        all_there_.notify_all();
        all_there_.wait(guard, [this] { return missing_ == 0; });
    }

private:
    std::mutex lock_;
    std::condition_variable all_there_;
    int missing_ = 2;
};

// [client]
struct client {
    pair sockets;
    OVERLAPPED receiving{};
    OVERLAPPED sending{};
    char room[64]{};
    std::string outgoing;
    std::timed_mutex lock; // of all above and of every call on the socket
};

void receive(client& one) {
    WSABUF buffer{sizeof one.room, one.room};
    DWORD flags = 0;
    check_submitted(::WSARecv(one.sockets.ours, &buffer, 1, nullptr, &flags, &one.receiving, nullptr), "WSARecv");
}

void send(client& to, std::string line) {
    to.outgoing = std::move(line);
    WSABUF buffer{static_cast<ULONG>(to.outgoing.size()), to.outgoing.data()};
    check_submitted(::WSASend(to.sockets.ours, &buffer, 1, nullptr, 0, &to.sending, nullptr), "WSASend");
}

meeting both; // the moment at which both have a line
// [/client]

// [wrong]
bool hand_on(client& from, client& to) {
    const std::unique_lock own{from.lock};
    both.arrive_and_wait(); // the other worker is as far with its client
    const std::unique_lock other{to.lock, for_ever};
    if (other) {
        send(to, from.room);
    }
    return other.owns_lock();
}
// [/wrong]

// [right]
bool hand_on_right(client& from, client& to) {
    std::string line;
    {
        const std::unique_lock own{from.lock};
        line = from.room;
    }
    both.arrive_and_wait();
    const std::unique_lock other{to.lock, for_ever};
    if (other) {
        send(to, line);
    }
    return other.owns_lock();
}
// [/right]

// Each worker takes the packet of one client's receive and hands its line on to the other client.
bool serve(bool (*how)(client& from, client& to)) {
    client one;
    client two;
    const iocp::unique_handle port = port_of(one.sockets);
    iocp::associate(two.sockets.ours, port, 0);
    make_readable(one.sockets);
    make_readable(two.sockets);
    receive(one);
    receive(two);
    bool handed_on[2]{};
    const auto work = [&](bool& done) {
        client& from = dequeue(port) == &one.receiving ? one : two;
        done = how(from, &from == &one ? two : one);
    };
    std::thread worker{work, std::ref(handed_on[0])};
    work(handed_on[1]);
    worker.join();
    for (const bool sent : handed_on) {
        if (sent) {
            dequeue(port);
        }
    }
    return handed_on[0] && handed_on[1];
}

void wrong() {
    check(!serve(hand_on), "both locks");
    harm("Two workers had a line each. Two seconds later each still had its own client's lock and waited for the "
         "other's.");
}

void right() {
    check(serve(hand_on_right), "one lock");
    well("Two workers had a line each, and both lines were handed on.");
}

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", wrong}, {"right", right}});
}
