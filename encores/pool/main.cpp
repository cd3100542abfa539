// Encore: the system's thread pool. It brings a port and workers of its own. We bring the
// operations, and a function that it calls with the end of each (connection.hpp; read that
// first).

#include "connection.hpp"

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
#include <iterator>
#include <list>
#include <mutex>
#include <utility>

namespace {

// [loop]
void accept_one(iocp::event_acceptor& acceptor, std::list<connection>& connections,
                departures& left) noexcept {
    iocp::unique_socket socket = acceptor.take();
    if (!socket) {
        return;
    }
    iocp::send_without_delay(socket.get());
    try {
        connection& fresh = connections.emplace_back(std::move(socket), left);
        const std::lock_guard guard{fresh.lock};
        fresh.place = std::prev(connections.end());
        receive(fresh);
    } catch (const std::exception& problem) { // no memory: one client less
        std::fprintf(stderr, "%s\n", problem.what());
    }
}

void serve(iocp::event_acceptor& acceptor, const iocp::stop_signal& stop) {
    departures left;                   // outlives the connections, which point to it
    std::list<connection> connections; // a list: its elements never move
    while (!stop.is_set()) {
        const bool accepting = acceptor.arm();
        const WSAEVENT events[]{stop.event(), acceptor.event(), left.event()};
        if (::WSAWaitForMultipleEvents(3, events, FALSE, accepting ? WSA_INFINITE : 250,
                                       FALSE) == WSA_WAIT_FAILED) {
            iocp::fail(::WSAGetLastError(), "WSAWaitForMultipleEvents");
        }
        if (iocp::is_signalled(acceptor.event())) {
            accept_one(acceptor, connections, left);
        }
        for (connection* c = left.take_all(); c != nullptr;) {
            connections.erase(std::exchange(c, c->next)->place);
        }
    }
}
// [/loop]

} // namespace

int main(int argc, char** argv) {
    const auto options = iocp::parse_server_options(
        argc, argv, "pool", "the system's thread pool: its port, its workers");
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
