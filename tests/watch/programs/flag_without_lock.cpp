// flag-without-lock: a submit after the close, because the flag that says so was read without the lock.
//
// Between the look at the flag and the submit another thread closes the socket. At best the submit fails. But the
// number of a closed socket is soon in use again, and then the receive takes what another client has sent. An atomic
// flag does not help: the look and the submit are still two steps.

#include "pair.hpp"

#include "common/event.hpp"

#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace programs;

namespace {

// [connection]
struct connection {
    connection(pair& sockets) : socket{std::exchange(sockets.ours, INVALID_SOCKET)} { overlapped.hEvent = done.get(); }

    bool receive() {
        WSABUF buffer{sizeof room, room};
        DWORD flags = 0;
        return ::WSARecv(socket, &buffer, 1, nullptr, &flags, &overlapped, nullptr) == 0 ||
               ::WSAGetLastError() == WSA_IO_PENDING;
    }

    void close() {
        closing = true;
        check(::closesocket(socket) == 0, "closesocket");
    }

    const SOCKET socket;
    std::atomic<bool> closing = false;
    std::mutex lock;
    char room[64]{};
    OVERLAPPED overlapped{};
    iocp::unique_event done = iocp::make_event();
};

// Clients come until a socket of theirs has the number of the closed one. The last one says a word there.
std::vector<iocp::unique_socket> next_clients(SOCKET closed, const listener& door) {
    constexpr std::size_t most = 64;
    std::vector<iocp::unique_socket> sockets;
    do {
        sockets.emplace_back(door.connect());
        sockets.emplace_back(::accept(door.socket, nullptr, nullptr));
    } while (sockets.back().get() != closed && sockets.end()[-2].get() != closed && sockets.size() < most);
    say(sockets.back().get() == closed ? sockets.end()[-2].get() : sockets.back().get(), "secret");
    return sockets;
}
// [/connection]

// [wrong]
void wrong() {
    pair sockets;
    const listener door{AF_INET};
    connection one{sockets};
    const iocp::unique_event looked = iocp::make_event();
    const iocp::unique_event closed = iocp::make_event();
    bool submitted = false;
    std::thread worker{[&] {
        if (!one.closing) {
            ::SetEvent(looked.get());
            wait_for(closed.get()); // whatever holds up a thread here for a moment
            submitted = one.receive();
            if (submitted) {
                wait_for(one.done.get());
            }
        }
    }};
    wait_for(looked.get());
    one.close();
    const std::vector<iocp::unique_socket> clients = next_clients(one.socket, door);
    ::SetEvent(closed.get());
    worker.join();
    harm(submitted
             ? "After the close a receive was submitted, and it took what the next client said: " +
                   std::string{one.room} + "."
             : "After the close a receive was submitted. It failed, but only because nobody has that number yet.");
}
// [/wrong]

// [right]
void right() {
    pair sockets;
    const listener door{AF_INET};
    connection one{sockets};
    const iocp::unique_event looked = iocp::make_event();
    std::thread worker{[&] {
        {
            const std::lock_guard lock{one.lock}; // over both steps
            if (one.closing) {
                return;
            }
            ::SetEvent(looked.get());
            check(one.receive(), "WSARecv");
        }
        wait_for(one.done.get());
    }};
    wait_for(looked.get());
    {
        const std::lock_guard lock{one.lock};
        one.close();
    }
    const std::vector<iocp::unique_socket> clients = next_clients(one.socket, door);
    worker.join();
    check(std::string{one.room}.empty(), "the receive of a closed connection");
    well("The receive was submitted before the close and has ended with it. What the next client said is its own.");
}
// [/right]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", wrong}, {"right", right}});
}
