// Chapter 02: a thread per client. No client waits for another, every client costs a
// thread, and the program ends cleanly: no call waits for long, so each thread soon looks
// at the stop flag and closes its own socket.

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
    const bool asked_before = stopping.exchange(true);
    return asked_before ? FALSE : TRUE; // FALSE: the system ends the program at once
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

// [nonblocking]
// What select() says of a listener may be out of date: a client can leave before accept()
// is called. A blocking accept() would then wait for the next client, and not see Ctrl+C
// meanwhile. On a non-blocking socket it fails instead. Chapter 03 is about these.
void set_nonblocking(SOCKET socket, bool wanted) {
    u_long on = wanted ? 1 : 0;
    if (::ioctlsocket(socket, FIONBIO, &on) == SOCKET_ERROR) {
        iocp::fail(::WSAGetLastError(), "ioctlsocket FIONBIO");
    }
}
// [/nonblocking]

// [echo]
void echo(SOCKET client) {
    set_nonblocking(client, false); // it may have inherited that from the listener

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

// The thread owns the socket: it alone uses it, and it alone closes it. An exception that
// left the thread would end the program.
void run_client(iocp::unique_socket socket, client_thread& self) noexcept {
    try {
        echo(socket.get());
    } catch (const std::exception& problem) { // this client is lost; the others are not
        std::fprintf(stderr, "%s\n", problem.what());
    }
    socket.reset();
    self.finished = true;
}
// [/client]

// [threads]
class client_threads {
public:
    client_threads() = default;
    client_threads(const client_threads&) = delete;
    client_threads& operator=(const client_threads&) = delete;

    // [join]
    // Runs on every way out of serve(), an exception too: a std::thread that is destroyed
    // before it was joined ends the program.
    ~client_threads() {
        stopping = true;
        for (client_thread& client : threads_) {
            client.thread.join(); // at most one bounded wait away
        }
    }
    // [/join]

    void start(iocp::unique_socket socket) {
        // One entry, which joins the others when nothing can fail any more.
        std::list<client_thread> fresh(1);
        client_thread& self = fresh.front();
        self.thread = std::thread{run_client, std::move(socket), std::ref(self)};
        threads_.splice(threads_.end(), fresh);
    }

    void join_finished() {
        threads_.remove_if([](client_thread& client) {
            if (!client.finished) {
                return false;
            }
            client.thread.join();
            return true;
        });
    }

private:
    std::list<client_thread> threads_; // a list: a thread keeps a reference to its entry
};
// [/threads]

// [serve]
void serve(SOCKET listener) {
    client_threads clients;
    int last_failure = 0;
    while (wait_readable(listener)) {
        clients.join_finished();
        iocp::unique_socket socket{::accept(listener, nullptr, nullptr)};
        if (!socket) {
            const int code = ::WSAGetLastError();
            if (code == WSAEWOULDBLOCK || code == WSAECONNRESET) {
                continue; // the client has left in the meantime
            }
            // Out of sockets, perhaps: the client waits until one is free. One line says
            // so, however long it takes.
            if (std::exchange(last_failure, code) != code) {
                iocp::report(code, "accept");
            }
            std::this_thread::sleep_for(250ms);
            continue;
        }
        last_failure = 0;
        iocp::send_without_delay(socket.get());
        // [start]
        try {
            clients.start(std::move(socket));
        } catch (const std::exception& problem) { // no thread or no memory: one client less
            std::fprintf(stderr, "std::thread: %s\n", problem.what());
        }
        // [/start]
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
        set_nonblocking(listener.get(), true);
        iocp::start_listening(listener.get(), where);
        serve(listener.get());
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
// [/main]
