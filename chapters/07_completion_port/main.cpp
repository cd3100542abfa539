// Chapter 07: a completion port. One queue for the ends of all operations: no events, no
// array of handles, no 64. One worker thread takes packets from the queue; the main thread
// accepts, as in chapter 06.

#include "common/address.hpp"
#include "common/command_line.hpp"
#include "common/error.hpp"
#include "common/event_acceptor.hpp"
#include "common/listener.hpp"
#include "common/overlapped_socket.hpp"
#include "common/stop_signal.hpp"
#include "common/unique.hpp"
#include "common/winsock.hpp"

#include <winsock2.h>

#include <atomic>
#include <cstdio>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <type_traits>
#include <utility>

namespace {

struct connection;

// [outcomes]
// Every way that a submit or a dequeue can end; printed when the program stops.
struct outcomes {
    std::atomic<unsigned> submit_immediate{
        0}; // succeeded before the call returned; its packet comes all the same
    std::atomic<unsigned> submit_pending{0};
    std::atomic<unsigned> submit_failed{0}; // never started: no packet
    std::atomic<unsigned> packet_success{0};
    std::atomic<unsigned> packet_failure{
        0}; // FALSE, and an OVERLAPPED: that operation failed, the port is well
    std::atomic<unsigned> wait_timed_out{0}; // FALSE, and no OVERLAPPED
    std::atomic<unsigned> posted{0};         // ours, by PostQueuedCompletionStatus
};
// [/outcomes]

// [server]
enum completion_key : ULONG_PTR { client_key = 1, stop_key = 2 };

struct server {
    explicit server(outcomes& tally);
    ~server(); // takes back what is in flight

    outcomes& seen;
    iocp::unique_handle port;
    std::mutex guard;           // of `live`: both threads change it
    std::set<connection*> live; // every connection there is, to close their sockets at the
                                // end; it owns none of them
};

server::server(outcomes& tally) : seen{tally} {
    port.reset(::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0,
                                        1)); // a port, and no handle tied to it yet
    if (!port) {
        iocp::fail(::GetLastError(), "CreateIoCompletionPort");
    }
}
// [/server]

// [connection]
// The operation is the connection: what comes back from the port as OVERLAPPED* is this,
// and no table is needed to find it. A std::unique_ptr owns it, except while an operation
// is in flight: then the kernel does.
struct connection : OVERLAPPED {
    connection(iocp::unique_socket accepted, server& home)
        : OVERLAPPED{}, socket{std::move(accepted)}, belongs_to{home} {
        const std::lock_guard lock{belongs_to.guard};
        belongs_to.live.insert(this);
    }
    ~connection() {
        const std::lock_guard lock{belongs_to.guard};
        belongs_to.live.erase(this);
    }
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    iocp::unique_socket socket;
    server& belongs_to;
    char buffer[4096];
    ULONG begin = 0; // received and not yet sent: buffer[begin, end)
    ULONG end = 0;
    bool receiving = false;
};
static_assert(std::is_base_of_v<OVERLAPPED, connection>,
              "static_cast leads from the packet back to the connection");
// [/connection]

// [submit]
// [check_submitted]
// From the call on, the worker may have the packet already, may even have destroyed the
// connection. So nothing of it is touched after the submit, unless the submit has failed:
// then there will be no packet, and it is ours again.
void check_submitted(connection* lent, server& s, int returned, const char* call) {
    if (returned == 0) {
        ++s.seen.submit_immediate;
        return;
    }
    const int code = ::WSAGetLastError();
    if (code == WSA_IO_PENDING) {
        ++s.seen.submit_pending;
        return;
    }
    const std::unique_ptr<connection> mine{lent};
    // back: the connection: at once, and it goes
    ++s.seen.submit_failed;
    iocp::report(code, call);
}
// [/check_submitted]

// [receive]
void receive(std::unique_ptr<connection> mine) {
    server& s = mine->belongs_to;
    static_cast<OVERLAPPED&>(*mine) = {};
    mine->receiving = true;
    WSABUF room{sizeof mine->buffer, mine->buffer};
    DWORD flags = 0;
    connection* const lent = mine.release();
    // lent: the connection -> kernel until its packet is dequeued
    check_submitted(lent, s,
                    ::WSARecv(lent->socket.get(), &room, 1, nullptr, &flags, lent, nullptr),
                    "WSARecv");
}
// [/receive]

// [send_rest]
void send_rest(std::unique_ptr<connection> mine) {
    server& s = mine->belongs_to;
    static_cast<OVERLAPPED&>(*mine) = {};
    mine->receiving = false;
    WSABUF rest{mine->end - mine->begin, mine->buffer + mine->begin};
    connection* const lent = mine.release();
    // lent: the connection -> kernel until its packet is dequeued
    check_submitted(lent, s,
                    ::WSASend(lent->socket.get(), &rest, 1, nullptr, 0, lent, nullptr),
                    "WSASend");
}
// [/send_rest]
// [/submit]

// [advance]
void advance(std::unique_ptr<connection> mine, DWORD bytes) {
    if (!mine->receiving) {
        mine->begin += bytes;
        mine->begin < mine->end ? send_rest(std::move(mine)) : receive(std::move(mine));
    } else if (bytes > 0) {
        mine->begin = 0;
        mine->end = bytes;
        send_rest(std::move(mine));
    } else if (::shutdown(mine->socket.get(), SD_SEND) ==
               SOCKET_ERROR) { // and the connection goes, either way
        iocp::report(::WSAGetLastError(), "shutdown");
    }
}
// [/advance]

// [worker]
void work(server& s) {
    for (;;) {
        // [dequeue]
        DWORD bytes = 0;
        ULONG_PTR key = 0;
        OVERLAPPED* overlapped = nullptr;
        constexpr DWORD patience_ms = 500;
        const BOOL good = ::GetQueuedCompletionStatus(s.port.get(), &bytes, &key,
                                                      &overlapped, patience_ms);
        const DWORD code = good ? ERROR_SUCCESS : ::GetLastError();
        // [/dequeue]

        // [no_operation]
        if (overlapped == nullptr) {
            if (good && key == stop_key) {
                ++s.seen.posted;
                return;
            }
            if (code == WAIT_TIMEOUT) {
                ++s.seen.wait_timed_out;
                continue; // nothing has ended for a while: no error
            }
            iocp::report(code, "GetQueuedCompletionStatus"); // the port is gone: 735 while
                                                             // we waited, 6 before
            return;
        }
        // [/no_operation]

        // [packet]
        std::unique_ptr<connection> mine{static_cast<connection*>(overlapped)};
        // back: the connection
        if (good) {
            ++s.seen.packet_success;
            advance(std::move(mine), bytes);
        } else {
            ++s.seen.packet_failure;
            iocp::report(code, mine->receiving
                                   ? "WSARecv"
                                   : "WSASend"); // this client is lost; the others are not
        }
        // [/packet]
    }
}
// [/worker]

// [stop_worker]
struct worker_thread {
    explicit worker_thread(server& s) : belongs_to{s}, thread{work, std::ref(s)} {}
    ~worker_thread() {
        // A packet of our own: no operation belongs to it, and the worker knows it by its
        // key.
        while (!::PostQueuedCompletionStatus(belongs_to.port.get(), 0, stop_key, nullptr)) {
            iocp::report(::GetLastError(), "PostQueuedCompletionStatus");
            ::Sleep(
                100); // short of memory for a packet; without it the worker would never end
        }
        thread.join();
    }

    server& belongs_to;
    std::thread thread;
};
// [/stop_worker]

// [associate]
void start_connection(server& s, iocp::unique_socket accepted) {
    // The same function that makes a port ties a handle to it, for as long as the handle is
    // open.
    if (::CreateIoCompletionPort(reinterpret_cast<HANDLE>(accepted.get()), s.port.get(),
                                 client_key, 0) == nullptr) {
        iocp::report(::GetLastError(), "CreateIoCompletionPort");
        return;
    }
    iocp::send_without_delay(accepted.get());
    receive(std::make_unique<connection>(std::move(accepted), s));
}
// [/associate]

// [accept]
void accept_until_stopped(server& s, iocp::event_acceptor& acceptor,
                          const iocp::stop_signal& stop) {
    const WSAEVENT events[] = {stop.event(), acceptor.event()};
    for (;;) {
        const DWORD wait_ms =
            acceptor.arm() ? WSA_INFINITE : 250; // not armed: try again soon
        const DWORD first = ::WSAWaitForMultipleEvents(2, events, FALSE, wait_ms, FALSE);
        if (first == WSA_WAIT_FAILED) {
            iocp::fail(::WSAGetLastError(), "WSAWaitForMultipleEvents");
        }
        if (first == WSA_WAIT_EVENT_0) {
            return;
        }
        if (first == WSA_WAIT_EVENT_0 + 1) {
            if (iocp::unique_socket accepted = acceptor.take()) {
                start_connection(s, std::move(accepted));
            }
        }
    }
}
// [/accept]

// [stop]
// Closing a socket ends its operation, and the end is a packet like any other. No
// connection is destroyed before its packet is here. By now this is the only thread: the
// worker has ended, and every connection that is left is in flight.
server::~server() {
    for (connection* c : live) {
        iocp::cancel_and_close(c->socket);
    }
    while (!live.empty()) {
        DWORD bytes = 0;
        ULONG_PTR key = 0;
        OVERLAPPED* overlapped = nullptr;
        const BOOL good =
            ::GetQueuedCompletionStatus(port.get(), &bytes, &key, &overlapped, INFINITE);
        if (overlapped == nullptr) {
            iocp::report(::GetLastError(), "GetQueuedCompletionStatus");
            return; // without the port nothing can come back: what is lent stays lent
        }
        const std::unique_ptr<connection> mine{static_cast<connection*>(overlapped)};
        // back: the connection, with data or without
        ++(good ? seen.packet_success : seen.packet_failure);
    }
}
// [/stop]

void print(const outcomes& seen) {
    std::printf("submit immediate: %u\nsubmit pending: %u\nsubmit failed: %u\n",
                seen.submit_immediate.load(), seen.submit_pending.load(),
                seen.submit_failed.load());
    std::printf("packet success: %u\npacket failure: %u\nwait timed out: %u\nposted: %u\n",
                seen.packet_success.load(), seen.packet_failure.load(),
                seen.wait_timed_out.load(), seen.posted.load());
}

} // namespace

int main(int argc, char** argv) {
    const auto options = iocp::parse_server_options(
        argc, argv, "07_completion_port", "one queue for completions, one worker");
    try {
        const iocp::winsock winsock;
        const iocp::stop_signal stop;
        const iocp::address where{options.host, options.port};
        iocp::unique_socket listener = iocp::overlapped_socket(where.family());
        iocp::start_listening(listener.get(), where);
        iocp::event_acceptor acceptor{std::move(listener), where.family()};

        outcomes seen;
        {
            server s{seen};
            const worker_thread worker{s};
            accept_until_stopped(s, acceptor, stop);
        } // the worker ends first, then what is in flight comes back
        print(seen);
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
