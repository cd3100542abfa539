// overlapped-reused: an OVERLAPPED is submitted again while an operation still has it.
//
// Windows writes the end of both operations into the one structure, in either order. The result of one is lost, a wait
// for it may be over before it has ended, and two packets come with the same pointer: nobody can tell whose they are.

#include "pair.hpp"

#include "common/event.hpp"
#include "common/skip_mode.hpp"

using namespace programs;

namespace {

// [submits]
// For as long as the program runs: whatever is written late harms nothing.
OVERLAPPED overlapped;
OVERLAPPED another;
char rooms[2][5];
char word[] = {'h', 'e', 'l', 'l', 'o'};

using routine = LPWSAOVERLAPPED_COMPLETION_ROUTINE;

void receive(SOCKET socket, OVERLAPPED& with, char (&room)[5], routine tell = nullptr) {
    WSABUF buffer{sizeof room, room};
    DWORD flags = 0;
    // submitted
    check_submitted(::WSARecv(socket, &buffer, 1, nullptr, &flags, &with, tell), "WSARecv");
}

// \return whether it succeeded at once
bool send(SOCKET socket, OVERLAPPED& with) {
    WSABUF buffer{sizeof word, word};
    const int returned = ::WSASend(socket, &buffer, 1, nullptr, 0, &with, nullptr);
    check_submitted(returned, "WSASend");
    return returned == 0;
}
// [/submits]

// [wrong]
void wrong() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    receive(sockets.ours, overlapped, rooms[0]);
    // here: the receive is in flight and has this OVERLAPPED
    send(sockets.ours, overlapped);
    say(sockets.theirs, "hello");
    dequeue(port);
    dequeue(port); // the same pointer again
}
// [/wrong]

// [right]
void right() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    receive(sockets.ours, overlapped, rooms[0]);
    send(sockets.ours, another);
    say(sockets.theirs, "hello");
    dequeue(port);
    dequeue(port);
}
// [/right]

// [wrong_event]
void wrong_event() {
    const pair sockets;
    const iocp::unique_event event = iocp::make_event();
    overlapped.hEvent = event.get();
    receive(sockets.ours, overlapped, rooms[0]);
    constexpr DWORD a_moment = 10;
    if (::WaitForSingleObject(event.get(), a_moment) == WAIT_TIMEOUT) {
        // here: the wait is over, the receive is not
        receive(sockets.ours, overlapped, rooms[1]);
    }
    say(sockets.theirs, "hellohello");
    wait_for(event.get());
    DWORD bytes = 0;
    DWORD flags = 0;
    check(::WSAGetOverlappedResult(sockets.ours, &overlapped, &bytes, FALSE, &flags), "WSAGetOverlappedResult");
}
// [/wrong_event]

// [wrong_routine]
int entered = 0;

void CALLBACK count(DWORD, DWORD, OVERLAPPED*, DWORD) {
    ++entered;
}

void wrong_routine() {
    const pair sockets;
    receive(sockets.ours, overlapped, rooms[0], count);
    constexpr DWORD a_moment = 10;
    if (::SleepEx(a_moment, TRUE) != WAIT_IO_COMPLETION) {
        // here: the wait is over, the receive is not
        receive(sockets.ours, overlapped, rooms[1], count);
    }
    say(sockets.theirs, "hellohello");
    while (entered < 2) {
        check(::SleepEx(patience_ms, TRUE) == WAIT_IO_COMPLETION, "SleepEx");
    }
}
// [/wrong_routine]

// [right_packet]
void right_packet() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    for (int round = 0; round < 2; ++round) {
        receive(sockets.ours, overlapped, rooms[0]);
        say(sockets.theirs, "hello");
        dequeue(port); // and the OVERLAPPED is back
    }
}
// [/right_packet]

// [right_result]
void right_result() {
    const pair sockets;
    const iocp::unique_event event = iocp::make_event();
    overlapped.hEvent = event.get();
    for (int round = 0; round < 2; ++round) {
        check(::WSAResetEvent(event.get()), "WSAResetEvent");
        receive(sockets.ours, overlapped, rooms[0]);
        say(sockets.theirs, "hello");
        DWORD bytes = 0;
        DWORD flags = 0;
        check(::WSAGetOverlappedResult(sockets.ours, &overlapped, &bytes, TRUE, &flags), "WSAGetOverlappedResult");
        // and the OVERLAPPED is back
    }
}
// [/right_result]

// [right_wait]
void right_wait() {
    const pair sockets;
    const iocp::unique_event event = iocp::make_event();
    for (int round = 0; round < 2; ++round) {
        check(::WSAResetEvent(event.get()), "WSAResetEvent");
        overlapped = {};
        overlapped.hEvent = event.get();
        receive(sockets.ours, overlapped, rooms[0]);
        say(sockets.theirs, "hello");
        wait_for(event.get()); // the receive has ended, whatever its result
    }
}
// [/right_wait]

// [right_ways]
using way = void (*)(SOCKET, HANDLE);

void CALLBACK set_event(void* told, BOOLEAN) {
    ::SetEvent(told);
}

void CALLBACK set_event_of_pool(PTP_CALLBACK_INSTANCE, void* told, PTP_WAIT, TP_WAIT_RESULT) {
    ::SetEvent(told);
}

// Every one of them tells that the receive has ended.
const way ways[] = {
    [](SOCKET, HANDLE) { wait_until_ended(overlapped); }, // HasOverlappedIoCompleted: no call
    [](SOCKET socket, HANDLE) {
        DWORD bytes = 0;
        check(::GetOverlappedResult(reinterpret_cast<HANDLE>(socket), &overlapped, &bytes, TRUE),
              "GetOverlappedResult");
    },
    [](SOCKET socket, HANDLE) {
        DWORD bytes = 0;
        check(::GetOverlappedResultEx(reinterpret_cast<HANDLE>(socket), &overlapped, &bytes, patience_ms, FALSE),
              "GetOverlappedResultEx");
    },
    [](SOCKET, HANDLE event) {
        check(::WaitForSingleObjectEx(event, patience_ms, TRUE) == WAIT_OBJECT_0, "WaitForSingleObjectEx");
    },
    [](SOCKET, HANDLE event) {
        check(::WSAWaitForMultipleEvents(1, &event, TRUE, patience_ms, FALSE) == WSA_WAIT_EVENT_0,
              "WSAWaitForMultipleEvents");
    },
    [](SOCKET, HANDLE event) {
        check(::WaitForMultipleObjects(1, &event, FALSE, patience_ms) == WAIT_OBJECT_0, "WaitForMultipleObjects");
    },
    [](SOCKET, HANDLE event) {
        check(::MsgWaitForMultipleObjects(1, &event, FALSE, patience_ms, 0) == WAIT_OBJECT_0,
              "MsgWaitForMultipleObjects");
    },
    [](SOCKET, HANDLE event) {
        check(::MsgWaitForMultipleObjectsEx(1, &event, patience_ms, 0, 0) == WAIT_OBJECT_0,
              "MsgWaitForMultipleObjectsEx");
    },
    [](SOCKET, HANDLE event) {
        const iocp::unique_event other = iocp::make_event();
        check(::SignalObjectAndWait(other.get(), event, patience_ms, FALSE) == WAIT_OBJECT_0, "SignalObjectAndWait");
    },
    [](SOCKET, HANDLE event) {
        const iocp::unique_event told = iocp::make_event();
        HANDLE wait = nullptr;
        check(::RegisterWaitForSingleObject(&wait, event, set_event, told.get(), patience_ms, WT_EXECUTEONLYONCE),
              "RegisterWaitForSingleObject");
        wait_for(told.get());
        check(::UnregisterWaitEx(wait, INVALID_HANDLE_VALUE), "UnregisterWaitEx");
    },
    [](SOCKET, HANDLE event) {
        const iocp::unique_event told = iocp::make_event();
        const PTP_WAIT wait = ::CreateThreadpoolWait(set_event_of_pool, told.get(), nullptr);
        check(wait != nullptr, "CreateThreadpoolWait");
        ::SetThreadpoolWait(wait, event, nullptr);
        wait_for(told.get());
        ::WaitForThreadpoolWaitCallbacks(wait, FALSE);
        ::CloseThreadpoolWait(wait);
    },
};

void right_ways() {
    const pair sockets;
    const iocp::unique_event event = iocp::make_event();
    for (const way wait : ways) {
        check(::WSAResetEvent(event.get()), "WSAResetEvent");
        overlapped.hEvent = event.get();
        receive(sockets.ours, overlapped, rooms[0]);
        say(sockets.theirs, "hello");
        wait(sockets.ours, event.get());
    }
}
// [/right_ways]

// [right_routine]
SOCKET serving = INVALID_SOCKET;

void CALLBACK receive_again(DWORD, DWORD, OVERLAPPED* back, DWORD) {
    if (++entered < 2) {
        receive(serving, *back, rooms[0], receive_again);
    }
}

void right_routine() {
    const pair sockets;
    serving = sockets.ours;
    receive(serving, overlapped, rooms[0], receive_again);
    say(sockets.theirs, "hellohello");
    while (entered < 2) {
        check(::SleepEx(patience_ms, TRUE) == WAIT_IO_COMPLETION, "SleepEx");
    }
}
// [/right_routine]

// [right_skip]
void right_skip() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    check(iocp::turn_on_skip_mode(sockets.ours), "SetFileCompletionNotificationModes");
    if (!send(sockets.ours, overlapped)) {
        dequeue(port);
    } // else no packet comes, and the OVERLAPPED is back
    receive(sockets.ours, overlapped, rooms[0]);
    say(sockets.theirs, "hello");
    dequeue(port);
}
// [/right_skip]

// [right_failure]
void right_failure() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    check(::shutdown(sockets.ours, SD_SEND) == 0, "shutdown");
    WSABUF buffer{sizeof word, word};
    if (::WSASend(sockets.ours, &buffer, 1, nullptr, 0, &overlapped, nullptr) == SOCKET_ERROR &&
        ::WSAGetLastError() == WSAESHUTDOWN) {
        receive(sockets.ours, overlapped, rooms[0]); // the send was never started: the OVERLAPPED is back
        say(sockets.theirs, "hello");
    }
    dequeue(port);
}
// [/right_failure]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv,
               {{"wrong", wrong},
                {"wrong event", wrong_event},
                {"wrong routine", wrong_routine},
                {"right", right},
                {"right packet", right_packet},
                {"right result", right_result},
                {"right wait", right_wait},
                {"right ways", right_ways},
                {"right routine", right_routine},
                {"right skip", right_skip},
                {"right failure", right_failure}});
}
