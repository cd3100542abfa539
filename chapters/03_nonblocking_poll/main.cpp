// Chapter 03: non-blocking sockets and WSAPoll. One thread serves everybody, because it
// only ever makes calls that return at once. The price: a send may take less than it was
// given, and the rest is ours to keep.

#include "common/address.hpp"
#include "common/command_line.hpp"
#include "common/error.hpp"
#include "common/listener.hpp"
#include "common/stop_signal.hpp"
#include "common/unique.hpp"
#include "common/winsock.hpp"

#include <winsock2.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <list>
#include <thread>
#include <utility>
#include <vector>

using namespace std::chrono_literals;

namespace {

// [client]
struct client {
    explicit client(iocp::unique_socket accepted) : socket{std::move(accepted)} {}

    iocp::unique_socket socket;
    char buffer[16 * 1024];
    int begin = 0; // received and not yet sent: buffer[begin, end)
    int end = 0;
    bool finished = false;

    bool has_unsent() const { return begin < end; }
};
// [/client]

// [nonblocking]
void make_nonblocking(SOCKET socket) {
    u_long yes = 1;
    DWORD unused = 0;
    if (::WSAIoctl(socket, FIONBIO, &yes, sizeof yes, nullptr, 0, &unused, nullptr,
                   nullptr) == SOCKET_ERROR) {
        iocp::fail(::WSAGetLastError(), "WSAIoctl FIONBIO");
    }
}
// [/nonblocking]

// [send]
void send_rest(client& c) {
    while (c.has_unsent()) {
        const int sent = ::send(c.socket.get(), c.buffer + c.begin, c.end - c.begin, 0);
        if (sent == SOCKET_ERROR) {
            const int code = ::WSAGetLastError();
            if (code != WSAEWOULDBLOCK) {
                iocp::fail(code, "send");
            }
            return; // the client reads slowly: WSAPoll says when there is room again
        }
        c.begin += sent; // a non-blocking send may take a part
    }
}
// [/send]

// [receive]
void receive_and_send(client& c) {
    const int received = ::recv(c.socket.get(), c.buffer, sizeof c.buffer, 0);
    if (received == SOCKET_ERROR) {
        const int code = ::WSAGetLastError();
        // Readiness is a hint: what was there may be gone when we come.
        if (code != WSAEWOULDBLOCK) {
            iocp::fail(code, "recv");
        }
        return;
    }
    if (received == 0) {
        if (::shutdown(c.socket.get(), SD_SEND) == SOCKET_ERROR) {
            iocp::fail(::WSAGetLastError(), "shutdown");
        }
        c.finished = true;
        return;
    }
    c.begin = 0;
    c.end = received;
    send_rest(c);
}
// [/receive]

// [accept]
// 0, or the code with which accept() has failed.
int accept_one(SOCKET listener, std::list<client>& clients,
               std::vector<WSAPOLLFD>& watched) {
    iocp::unique_socket socket{::accept(listener, nullptr, nullptr)};
    if (!socket) {
        const int code = ::WSAGetLastError();
        if (code == WSAEWOULDBLOCK || code == WSAECONNRESET) {
            return 0; // the client has left in the meantime
        }
        return code;
    }
    try {
        make_nonblocking(socket.get());
        iocp::send_without_delay(socket.get());
        // Room for this one and for the listener. If there is no memory for it we find out
        // now, where it costs one client, and not in the middle of the loop.
        watched.reserve(clients.size() + 2);
        clients.emplace_back(std::move(socket));
    } catch (const std::exception& problem) { // one client less; the listener goes on
        std::fprintf(stderr, "%s\n", problem.what());
    }
    return 0;
}
// [/accept]

// [loop]
void serve(SOCKET listener, const iocp::stop_signal& stop) {
    using clock = std::chrono::steady_clock;
    constexpr auto moment = 250ms; // how late we may be for Ctrl+C, or to try again
    std::list<client> clients;
    std::vector<WSAPOLLFD> watched; // the clients in their order, then the listener
    watched.reserve(1);
    clock::time_point accept_from{}; // after a failure: a little later
    int last_failure = 0;

    while (!stop.is_set()) {
        // [watch]
        watched.clear();
        for (const client& c : clients) {
            // A client with bytes to come is not read from: one that never reads fills its
            // buffer here and no more.
            const SHORT wanted = c.has_unsent() ? POLLWRNORM : POLLRDNORM;
            watched.push_back({c.socket.get(), wanted, 0});
        }
        const bool accepting = clock::now() >= accept_from;
        if (accepting) {
            watched.push_back({listener, POLLRDNORM, 0});
        }
        if (watched.empty()) { // WSAPoll does not take an empty array
            std::this_thread::sleep_for(moment);
            continue;
        }
        const int limit_ms = static_cast<int>(moment.count());
        if (::WSAPoll(watched.data(), static_cast<ULONG>(watched.size()), limit_ms) ==
            SOCKET_ERROR) {
            iocp::fail(::WSAGetLastError(), "WSAPoll");
        }
        // [/watch]

        // [ready]
        auto entry = watched.cbegin();
        for (client& c : clients) {
            const SHORT happened = (entry++)->revents;
            if (happened == 0) {
                continue;
            }
            try {
                // POLLERR and POLLHUP come unasked; the call on the socket then says what
                // is the matter.
                if (c.has_unsent()) {
                    send_rest(c);
                } else {
                    receive_and_send(c);
                }
            } catch (const std::exception& problem) { // this client is lost
                std::fprintf(stderr, "%s\n", problem.what());
                c.finished = true;
            }
        }
        const bool somebody_waits = accepting && entry->revents != 0;
        std::erase_if(clients, [](const client& c) { return c.finished; });
        // [/ready]

        // [again]
        if (somebody_waits) {
            const int code = accept_one(listener, clients, watched);
            if (code != 0) { // out of sockets, perhaps: the client waits until one is free
                accept_from = clock::now() + moment;
                if (code != last_failure) {
                    iocp::report(code, "accept"); // one line, however long it lasts
                }
            }
            last_failure = code;
        }
        // [/again]
    }
}
// [/loop]

} // namespace

// [main]
int main(int argc, char** argv) {
    const auto options = iocp::parse_server_options(argc, argv, "03_nonblocking_poll",
                                                    "readiness: ask what would not block");
    try {
        const iocp::winsock winsock;
        const iocp::stop_signal stop;
        const iocp::address where{options.host, options.port};
        const iocp::unique_socket listener{
            ::socket(where.family(), SOCK_STREAM, IPPROTO_TCP)};
        if (!listener) {
            iocp::fail(::WSAGetLastError(), "socket");
        }
        // A client that leaves between WSAPoll and accept must not block us.
        make_nonblocking(listener.get());
        iocp::start_listening(listener.get(), where);
        serve(listener.get(), stop);
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
// [/main]
