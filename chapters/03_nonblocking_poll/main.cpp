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

#include <cstdio>
#include <exception>
#include <list>
#include <utility>
#include <vector>

namespace {

// [client]
struct client {
    explicit client(iocp::unique_socket accepted) : socket{std::move(accepted)} {}

    iocp::unique_socket socket;
    char buffer[16 * 1024];
    int begin = 0; // received and not yet sent: buffer[begin, end)
    int end = 0;
    bool finished = false;

    bool owes_bytes() const { return begin < end; }
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
    while (c.owes_bytes()) {
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
        if (code != WSAEWOULDBLOCK) { // readiness is a hint: what was there may be gone
                                      // when we come
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
bool accept_one(SOCKET listener, std::list<client>& clients) {
    iocp::unique_socket socket{::accept(listener, nullptr, nullptr)};
    if (!socket) {
        const int code = ::WSAGetLastError();
        if (code == WSAEWOULDBLOCK || code == WSAECONNRESET) {
            return true; // the client has left in the meantime
        }
        iocp::report(code, "accept");
        return false; // out of sockets, perhaps
    }
    try {
        make_nonblocking(socket.get());
        iocp::send_without_delay(socket.get());
        clients.emplace_back(std::move(socket));
    } catch (const iocp::call_error& problem) {
        std::fprintf(stderr, "%s\n",
                     problem.what()); // one client less; the listener goes on
    }
    return true;
}
// [/accept]

// [loop]
void serve(SOCKET listener, const iocp::stop_signal& stop) {
    std::list<client> clients;
    std::vector<WSAPOLLFD> watched; // the clients in their order, then the listener
    bool accepting = true;

    while (!stop.is_set()) {
        // [watch]
        watched.clear();
        for (const client& c : clients) {
            // Who owes bytes is not read from: so a client that never reads fills one
            // buffer and no more.
            watched.push_back({c.socket.get(),
                               static_cast<SHORT>(c.owes_bytes() ? POLLWRNORM : POLLRDNORM),
                               0});
        }
        watched.push_back({listener, static_cast<SHORT>(accepting ? POLLRDNORM : 0),
                           0}); // never an empty array

        const int ready =
            ::WSAPoll(watched.data(), static_cast<ULONG>(watched.size()), 250);
        if (ready == SOCKET_ERROR) {
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
                c.owes_bytes() ? send_rest(c) : receive_and_send(c);
            } catch (const iocp::call_error& problem) {
                std::fprintf(stderr, "%s\n",
                             problem.what()); // this client is lost; the others are not
                c.finished = true;
            }
        }
        const bool somebody_waits = accepting && entry->revents != 0;
        const bool somebody_left =
            std::erase_if(clients, [](const client& c) { return c.finished; }) != 0;
        // [/ready]

        // [again]
        if (somebody_waits) {
            accepting = accept_one(listener, clients);
        } else if (somebody_left || ready == 0) {
            accepting = true; // it failed before, and may succeed now
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
        make_nonblocking(listener.get()); // a client that leaves between WSAPoll and accept
                                          // must not block us
        iocp::start_listening(listener.get(), where);
        serve(listener.get(), stop);
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
// [/main]
