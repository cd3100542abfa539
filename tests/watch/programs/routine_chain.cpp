// routine-chain: each completion routine submits the next operation, and each of these ends at once.
//
// A wait returns when no routine is due any more. Here there is always one, so the thread stays inside its wait and
// does not see the event that it waits for. One busy client is enough.

#include "pair.hpp"

#include "common/event.hpp"

using namespace programs;

namespace {

constexpr int enough = 200; // for ever, if nobody counted

// [receive]
struct receiver {
    SOCKET socket = INVALID_SOCKET;
    WSAEVENT stop = nullptr;
    WSAOVERLAPPED overlapped{};
    int entered = 0;
    bool in_flight = false;
};

void CALLBACK received(DWORD error, DWORD bytes, WSAOVERLAPPED* overlapped, DWORD flags);

// With room for nothing, so that it ends at once again and again: a client that always has something to say.
void submit(receiver& one) {
    one.overlapped = {};
    one.overlapped.hEvent = &one;
    WSABUF nothing{0, nullptr};
    DWORD flags = 0;
    one.in_flight = true;
    check_submitted(::WSARecv(one.socket, &nothing, 1, nullptr, &flags, &one.overlapped, received), "WSARecv");
}
// [/receive]

bool chained = false; // which of the two this run is

// [wrong]
void next(receiver& one) {
    submit(one); // the wait goes on to this one's routine, and so on
}
// [/wrong]

// [right]
void next_right(receiver&) {} // the loop submits, between two waits
// [/right]

void CALLBACK received(DWORD, DWORD, WSAOVERLAPPED* overlapped, DWORD) {
    receiver& one = *static_cast<receiver*>(overlapped->hEvent);
    one.in_flight = false;
    if (++one.entered == 1) { // somebody wants it to stop
        check(::WSASetEvent(one.stop), "WSASetEvent");
    }
    if (one.entered < enough) {
        (chained ? next : next_right)(one);
    }
}

void run_with(bool chain) {
    chained = chain;
    const pair sockets;
    const iocp::unique_event stop = iocp::make_event();
    make_readable(sockets);
    receiver one;
    one.socket = sockets.ours;
    one.stop = stop.get();
    // [loop]
    while (!iocp::is_signalled(one.stop)) {
        if (!one.in_flight) {
            submit(one);
        }
        check(::WSAWaitForMultipleEvents(1, &one.stop, FALSE, patience_ms, TRUE) != WSA_WAIT_FAILED,
              "WSAWaitForMultipleEvents");
    }
    // [/loop]
    const int after = one.entered - 1;
    while (one.in_flight) {
        ::SleepEx(patience_ms, TRUE);
    }
    if (after > 10) {
        harm("The first routine set the event that ends the wait. The wait ended " + std::to_string(after) +
             " routines later, when this program had had enough.");
    } else {
        well("The first routine set the event that ends the wait, and the wait ended.");
    }
}

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", [] { run_with(true); }}, {"right", [] { run_with(false); }}});
}
