// stranded: a worker takes several packets with one call, and its first handler waits for what another of them brings.
//
// What a worker has taken out of the port no other worker sees. The other one is idle and waits at an empty port, and
// the packet lies in the array of the one that is busy, behind its handler.

#include "pair.hpp"

#include <thread>

using namespace programs;

namespace {

// [server]
struct server {
    server() : port{iocp::make_port(0)}, busy{make_event()}, answered{make_event()} {
        for (OVERLAPPED* one : {&question, &answer}) {
            check(::PostQueuedCompletionStatus(port.get(), 0, 0, one), "PostQueuedCompletionStatus");
        }
    }
    ~server() {
        ::CloseHandle(answered);
        ::CloseHandle(busy);
    }
    server(const server&) = delete;
    server& operator=(const server&) = delete;

    static HANDLE make_event() {
        const HANDLE event = ::CreateEventW(nullptr, TRUE, FALSE, nullptr);
        check(event != nullptr, "CreateEventW");
        return event;
    }

    // \return whether it went well
    bool handle(OVERLAPPED* packet) {
        if (packet == &answer) {
            return ::SetEvent(answered) != 0;
        }
        ::SetEvent(busy);
        return ::WaitForSingleObject(answered, handler_ms) == WAIT_OBJECT_0; // a handler that blocks
    }

    static constexpr DWORD handler_ms = 2000; // for ever, if nobody ended this program
    iocp::unique_handle port;
    HANDLE busy; // a worker is in the handler that blocks
    HANDLE answered;
    OVERLAPPED question{};
    OVERLAPPED answer{};
};
// [/server]

// [wrong]
bool work(server& one) {
    OVERLAPPED_ENTRY packets[64];
    ULONG count = 0;
    bool good = true;
    if (::GetQueuedCompletionStatusEx(one.port.get(), packets, 64, &count, server::handler_ms, FALSE)) {
        for (ULONG i = 0; i < count; ++i) {
            good = one.handle(packets[i].lpOverlapped) && good;
        }
    }
    return good;
}
// [/wrong]

// [right]
bool work_right(server& one) {
    DWORD bytes = 0;
    ULONG_PTR key = 0;
    OVERLAPPED* packet = nullptr;
    if (!::GetQueuedCompletionStatus(one.port.get(), &bytes, &key, &packet, patience_ms)) {
        return false;
    }
    return one.handle(packet);
}
// [/right]

void serve(bool (*working)(server&)) {
    server one;
    bool other_good = false;
    bool good = false;
    std::thread other{[&] {
        wait_for(one.busy);
        other_good = working(one);
    }};
    good = working(one);
    other.join();
    if (good && other_good) {
        well("One handler waits for what another packet brings, and the other worker has brought it.");
    } else {
        harm("One handler waits for what another packet brings. That packet lies in its own worker's batch, and the "
             "other worker waits at an empty port.");
    }
}

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", [] { serve(work); }}, {"right", [] { serve(work_right); }}});
}
