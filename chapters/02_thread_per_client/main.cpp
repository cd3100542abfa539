// Chapter 02: a thread per client. Nobody waits for anybody, every client costs a thread,
// and the program ends cleanly: no call waits longer than a moment, so each thread comes to
// look at the stop flag and closes its own socket.

#include "common/address.hpp"
#include "common/command_line.hpp"
#include "common/error.hpp"
#include "common/listener.hpp"
#include "common/unique.hpp"
#include "common/winsock.hpp"

#include <winsock2.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <exception>
#include <functional>
#include <list>
#include <system_error>
#include <thread>
#include <utility>

using namespace std::chrono_literals;

namespace {

// [stop]
std::atomic<bool> stopping{false};

// The system calls this on a thread of its own.
BOOL WINAPI on_console_event(DWORD event) {
    if (event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT) {
        return FALSE; // not ours: the window is being closed, the user logs off
    }
    stopping = true;
    return TRUE;
}
// [/stop]

// [wait]
// True when the next accept() or recv() on this socket will not block; false when the
// program is to stop.
//
// It is tempting to close the socket from the main thread to wake a thread that blocks on
// it. Windows forbids that: by the time the other thread enters its call, the handle may
// already be somebody else's. So nobody blocks for long. SO_RCVTIMEO would bound recv()
// too, but a socket whose receive has timed out must not be used again.
bool wait_readable(SOCKET socket) {
    while (!stopping) {
        fd_set watched{1, {socket}};
        timeval moment{0, 250'000};
        const int ready = ::select(0, &watched, nullptr, nullptr, &moment);
        if (ready == SOCKET_ERROR) {
            iocp::fail(::WSAGetLastError(), "select");
        }
        if (ready == 1) {
            return true;
        }
    }
    return false;
}
// [/wait]

// [echo]
void echo(SOCKET client) {
    // [give_up]
    // A client that never reads blocks send(). After this time-out the client is given up,
    // and with it its socket.
    const DWORD patience_ms = 1500;
    if (::setsockopt(client, SOL_SOCKET, SO_SNDTIMEO,
                     reinterpret_cast<const char*>(&patience_ms),
                     sizeof patience_ms) == SOCKET_ERROR) {
        iocp::fail(::WSAGetLastError(), "setsockopt SO_SNDTIMEO");
    }
    // [/give_up]

    char buffer[4096];
    while (wait_readable(client)) {
        const int received = ::recv(client, buffer, sizeof buffer, 0);
        if (received == SOCKET_ERROR) {
            iocp::fail(::WSAGetLastError(), "recv");
        }
        if (received == 0) {
            if (::shutdown(client, SD_SEND) == SOCKET_ERROR) {
                iocp::fail(::WSAGetLastError(), "shutdown");
            }
            return;
        }
        if (::send(client, buffer, received, 0) == SOCKET_ERROR) {
            iocp::fail(::WSAGetLastError(), "send");
        }
    }
}
// [/echo]

// [client]
struct client_thread {
    std::atomic<bool> finished{false};
    std::thread thread;
};

// The thread owns the socket: it alone uses it, and it alone closes it.
void run_client(iocp::unique_socket socket, client_thread& self) {
    try {
        echo(socket.get());
    } catch (const iocp::call_error& problem) {
        std::fprintf(stderr, "%s\n",
                     problem.what()); // this client is lost; the others are not
    }
    socket.reset();
    self.finished = true;
}

void join_finished(std::list<client_thread>& clients) {
    clients.remove_if([](client_thread& client) {
        if (!client.finished) {
            return false;
        }
        client.thread.join();
        return true;
    });
}
// [/client]

// [serve]
void serve(SOCKET listener) {
    std::list<client_thread> clients; // a list: a thread keeps a reference to its own entry
    while (wait_readable(listener)) {
        join_finished(clients);
        iocp::unique_socket socket{::accept(listener, nullptr, nullptr)};
        if (!socket) {
            iocp::report(::WSAGetLastError(), "accept");
            std::this_thread::sleep_for(
                250ms); // out of sockets, perhaps: the client waits until one is free
            continue;
        }
        iocp::send_without_delay(socket.get());
        client_thread& client = clients.emplace_back();
        try {
            client.thread = std::thread{run_client, std::move(socket), std::ref(client)};
        } catch (const std::system_error& problem) {
            std::fprintf(stderr, "std::thread: %s\n",
                         problem.what()); // no thread, no service: the price
            clients.pop_back();
        }
    }
    for (client_thread& client : clients) {
        client.thread.join(); // at most one bounded wait away
    }
}
// [/serve]

} // namespace

// [main]
int main(int argc, char** argv) {
    const auto options = iocp::parse_server_options(argc, argv, "02_thread_per_client",
                                                    "a thread for every client");
    try {
        const iocp::winsock winsock;
        if (!::SetConsoleCtrlHandler(on_console_event, TRUE)) {
            iocp::fail(::GetLastError(), "SetConsoleCtrlHandler");
        }
        const iocp::address where{options.host, options.port};
        const iocp::unique_socket listener{
            ::socket(where.family(), SOCK_STREAM, IPPROTO_TCP)};
        if (!listener) {
            iocp::fail(::WSAGetLastError(), "socket");
        }
        iocp::start_listening(listener.get(), where);
        serve(listener.get());
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
// [/main]
