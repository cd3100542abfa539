// Encore: completion routines. The end of an operation calls a function of ours, on the
// thread that has submitted it, and only while that thread waits alertably. One thread, no
// port, no event for a client.

#include "common/address.hpp"
#include "common/command_line.hpp"
#include "common/error.hpp"
#include "common/event.hpp"
#include "common/event_acceptor.hpp"
#include "common/listener.hpp"
#include "common/overlapped_socket.hpp"
#include "common/stop_signal.hpp"
#include "common/unique.hpp"
#include "common/winsock.hpp"

#include <winsock2.h>

#include <cstdio>
#include <exception>
#include <list>
#include <utility>

namespace {

struct connection;

// [line]
// Those whose turn it is. The routines put a connection in, the loop takes all of them out.
// One thread does both, so there is no lock.
struct line {
    connection* first = nullptr;
    void add(connection& c) noexcept;
};
// [/line]

// [connection]
// One operation at a time. While it is in flight the system writes to `overlapped` and
// `buffer`, so a connection stays where it is: no copy, no move.
struct connection {
    connection(iocp::unique_socket accepted, line& all) noexcept
        : socket{std::move(accepted)}, turns{all} {}
    ~connection();
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    iocp::unique_socket socket;
    WSAOVERLAPPED overlapped{};
    char buffer[4096];
    ULONG begin = 0; // received and not yet sent: buffer[begin, end)
    ULONG end = 0;
    bool in_flight = false;
    DWORD error = 0; // with which the last operation has ended
    const char* call = "";
    bool finished = false;
    line& turns;
    connection* next = nullptr; // in the line
};

void line::add(connection& c) noexcept {
    c.next = std::exchange(first, &c);
}
// [/connection]

// [destroy]
// Closing ends the operation. The memory is back when the routine is entered, and that can
// only be here: in a wait of this thread that is alertable.
connection::~connection() {
    iocp::cancel_and_close(socket);
    while (in_flight) {
        ::SleepEx(INFINITE, TRUE); // other connections' routines may run as well
    }
}
// [/destroy]

// [routine]
void CALLBACK received(DWORD error, DWORD bytes, WSAOVERLAPPED* overlapped, DWORD flags);
void CALLBACK sent(DWORD error, DWORD bytes, WSAOVERLAPPED* overlapped, DWORD flags);

// With a routine hEvent is ours, so it leads to the connection. A connection whose socket
// is closed only waits for this moment.
// \return the connection, if there is something to do
connection* take_back(WSAOVERLAPPED* overlapped, DWORD error) noexcept {
    auto* const c = static_cast<connection*>(overlapped->hEvent);
    // back: c->overlapped, c->buffer
    c->in_flight = false;
    c->error = error;
    return c->socket ? c : nullptr;
}
// [/routine]

// [submit]
void prepare(connection& c, const char* call) noexcept {
    c.overlapped = {};
    c.overlapped.hEvent = &c;
    c.call = call;
}

// 0 and 997 are the same here, too: the routine is called for both. For any other code it
// is not, so the line has to bring the connection to the loop.
void check_submitted(connection& c, int returned) noexcept {
    const int code = returned == 0 ? 0 : ::WSAGetLastError();
    c.in_flight = code == 0 || code == WSA_IO_PENDING;
    if (!c.in_flight) {
        // back: c.overlapped, c.buffer: at once, nothing was submitted
        c.error = static_cast<DWORD>(code);
        c.turns.add(c);
    }
}

void receive(connection& c) noexcept {
    prepare(c, "WSARecv");
    WSABUF room{sizeof c.buffer, c.buffer};
    DWORD flags = 0;
    // lent: c.overlapped, c.buffer -> kernel until `received` is entered
    check_submitted(
        c, ::WSARecv(c.socket.get(), &room, 1, nullptr, &flags, &c.overlapped, received));
}

void send_rest(connection& c) noexcept {
    prepare(c, "WSASend");
    WSABUF rest{c.end - c.begin, c.buffer + c.begin};
    // lent: c.overlapped, c.buffer -> kernel until `sent` is entered
    check_submitted(c,
                    ::WSASend(c.socket.get(), &rest, 1, nullptr, 0, &c.overlapped, sent));
}
// [/submit]

// [routines]
// A routine may submit. It may not wait, and shutdown and closesocket may: those are for
// the loop.
void CALLBACK received(DWORD error, DWORD bytes, WSAOVERLAPPED* overlapped, DWORD) {
    if (connection* const c = take_back(overlapped, error)) {
        c->begin = 0;
        c->end = bytes;
        if (error == 0 && bytes > 0) {
            send_rest(*c);
        } else {
            c->turns.add(*c);
        }
    }
}

// It does not receive again: all routines that are due run before the wait returns. If each
// made another one due, a busy client would keep the thread in there.
void CALLBACK sent(DWORD error, DWORD bytes, WSAOVERLAPPED* overlapped, DWORD) {
    if (connection* const c = take_back(overlapped, error)) {
        c->begin += bytes;
        c->turns.add(*c);
    }
}
// [/routines]

// [turn]
void take_turn(connection& c) noexcept {
    if (c.error != 0) {
        iocp::report(c.error, c.call); // this client is lost, the others are not
        c.finished = true;
    } else if (c.begin < c.end) {
        send_rest(c);
    } else if (c.end > 0) {
        receive(c);
    } else { // 0 bytes have come: the client sends no more
        if (::shutdown(c.socket.get(), SD_SEND) == SOCKET_ERROR) {
            iocp::report(::WSAGetLastError(), "shutdown");
        }
        c.finished = true;
    }
}
// [/turn]

// [accept]
void accept_one(iocp::event_acceptor& acceptor, std::list<connection>& connections,
                line& turns) noexcept {
    iocp::unique_socket socket = acceptor.take();
    if (!socket) {
        return;
    }
    iocp::send_without_delay(socket.get());
    try {
        receive(connections.emplace_back(std::move(socket), turns));
    } catch (const std::exception& problem) { // no memory: one client less
        std::fprintf(stderr, "%s\n", problem.what());
    }
}
// [/accept]

// [loop]
void serve(iocp::event_acceptor& acceptor, const iocp::stop_signal& stop) {
    line turns;                        // outlives the connections, which point to it
    std::list<connection> connections; // a list: its elements never move
    for (;;) {
        // [wait]
        const bool accepting = acceptor.arm();
        const WSAEVENT events[]{stop.event(), acceptor.event()};
        const DWORD limit_ms = turns.first != nullptr ? 0 : accepting ? WSA_INFINITE : 250;
        if (::WSAWaitForMultipleEvents(2, events, FALSE, limit_ms, TRUE) ==
            WSA_WAIT_FAILED) {
            iocp::fail(::WSAGetLastError(), "WSAWaitForMultipleEvents");
        }
        // A wait whose event is set already need not run any routine; this one does.
        ::SleepEx(0, TRUE);
        // [/wait]

        if (stop.is_set()) {
            return;
        }
        if (iocp::is_signalled(acceptor.event())) {
            accept_one(acceptor, connections, turns);
        }
        // [turns]
        bool somebody_left = false;
        for (connection* c = std::exchange(turns.first, nullptr); c != nullptr;) {
            connection& current = *std::exchange(c, c->next);
            take_turn(current);
            somebody_left = somebody_left || current.finished;
        }
        if (somebody_left) {
            std::erase_if(connections, [](const connection& c) { return c.finished; });
        }
        // [/turns]
    }
}
// [/loop]

} // namespace

int main(int argc, char** argv) {
    const auto options = iocp::parse_server_options(
        argc, argv, "routines", "completion routines: the end of an operation calls us");
    try {
        const iocp::winsock winsock;
        const iocp::stop_signal stop;
        const iocp::address where{options.host, options.port};
        iocp::unique_socket listener = iocp::overlapped_socket(where.family());
        iocp::start_listening(listener.get(), where);
        iocp::event_acceptor acceptor{std::move(listener), where.family()};
        serve(acceptor, stop);
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
