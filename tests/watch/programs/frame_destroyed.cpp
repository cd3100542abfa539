// frame-destroyed: a coroutine's frame is destroyed while its receive is in flight.
//
// The frame is where the coroutine keeps its variables: the buffer, and the operation that it waits for. It looks as if
// it were owned by a handle, and so a class that destroys it looks like good manners. The system has not been asked.

#include "pair.hpp"

#include "encores/coroutines/operation.hpp"
#include "encores/coroutines/scope.hpp"

#include <coroutine>
#include <exception>
#include <new>
#include <stop_token>
#include <utility>

using namespace programs;

namespace {

// Frames get a heap of their own: what is written to one that is gone hits no other memory, so this program outlives
// its mistake. Others do not.
struct frames {
    frames() { check(heap != nullptr, "HeapCreate"); }
    ~frames() { ::HeapDestroy(heap); }
    frames(const frames&) = delete;
    frames& operator=(const frames&) = delete;

    HANDLE heap = ::HeapCreate(0, 0, 0);
};

void close(SOCKET& socket) {
    check(::closesocket(std::exchange(socket, INVALID_SOCKET)) == 0, "closesocket");
}

struct in_own_heap {
    static void* operator new(std::size_t size) {
        static const frames all;
        void* const block = ::HeapAlloc(all.heap, 0, size + sizeof(HANDLE) * 2);
        if (block == nullptr) {
            throw std::bad_alloc{};
        }
        *static_cast<HANDLE*>(block) = all.heap;
        return static_cast<HANDLE*>(block) + 2;
    }

    static void operator delete(void* frame) {
        HANDLE* const block = static_cast<HANDLE*>(frame) - 2;
        ::HeapFree(*block, 0, block);
    }
};

// [conversation]
// What a coroutine returns: the owner of its frame.
struct conversation {
    struct promise_type : in_own_heap {
        conversation get_return_object() {
            return conversation{std::coroutine_handle<promise_type>::from_promise(*this)};
        }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_always final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { std::terminate(); }
    };

    explicit conversation(std::coroutine_handle<> made) : frame{made} {}
    conversation(conversation&& other) noexcept : frame{std::exchange(other.frame, nullptr)} {}
    ~conversation() {
        if (frame) {
            frame.destroy();
        }
    }

    std::coroutine_handle<> frame;
};
// [/conversation]

// [receive]
struct receive : OVERLAPPED {
    receive(SOCKET from, char* into, ULONG size) : OVERLAPPED{}, socket{from}, room{size, into} {}

    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> waiting) {
        frame = waiting;
        DWORD flags = 0;
        // submitted
        check_submitted(::WSARecv(socket, &room, 1, nullptr, &flags, this, nullptr), "WSARecv");
    }
    void await_resume() const {}

    SOCKET socket;
    WSABUF room;
    std::coroutine_handle<> frame;
};

conversation talk(SOCKET client) {
    char buffer[64];
    co_await receive(client, buffer, sizeof buffer);
}
// [/receive]

// [wrong]
void wrong() {
    pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    { const conversation one = talk(sockets.ours); } // here: its owner goes, and with it the frame
    close(sockets.ours);
    dequeue(port); // what has ended lay in the frame
}
// [/wrong]

// [right]
void right() {
    pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    const conversation one = talk(sockets.ours);
    close(sockets.ours); // ends the receive
    static_cast<receive*>(dequeue(port))->frame.resume();
    check(one.frame.done(), "resume");
} // it has run to its end: its frame may go
// [/right]

// The operation of the encore looks whether it is lent when it is destroyed.
conversation talk_guarded(scope& all, const iocp::unique_socket& client) {
    char buffer[64];
    co_await receive_some(all, client, buffer, sizeof buffer);
}

void guarded() {
    pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    const iocp::unique_socket client{std::exchange(sockets.ours, INVALID_SOCKET)};
    const std::stop_source stop;
    scope all{stop.get_token()};
    {
        const conversation one = talk_guarded(all, client);
        operation::submit_waiting();
    }
    well("The frame was destroyed.");
}

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", wrong}, {"right", right}, {"guarded", guarded}});
}
