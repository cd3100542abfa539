// Chapter 08: many workers on one port. The main thread accepts and hands each socket to
// the port; whichever worker is free takes the next packet. A connection has one operation
// in flight, so no two workers ever meet in it.

#include "common/address.hpp"
#include "common/command_line.hpp"
#include "common/error.hpp"
#include "common/event_acceptor.hpp"
#include "common/listener.hpp"
#include "common/live_set.hpp"
#include "common/operation.hpp"
#include "common/overlapped_socket.hpp"
#include "common/port.hpp"
#include "common/stop_signal.hpp"
#include "common/unique.hpp"
#include "common/winsock.hpp"

#include <winsock2.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace {

enum completion_key : ULONG_PTR { client_key = 1, stop_key = 2 };

// [connection]
struct connection : iocp::operation {
    connection(iocp::unique_socket accepted, iocp::live_set<connection>& all)
        : socket{std::move(accepted)}, siblings{all} {
        siblings.enter(*this);
    }
    ~connection() { siblings.leave(*this); }

    iocp::unique_socket socket;
    iocp::live_set<connection>& siblings;
    char buffer[4096];
    ULONG begin = 0; // received and not yet sent: buffer[begin, end)
    ULONG end = 0;
    bool receiving = false;
};
// [/connection]

// [submit]
// Which worker gets the packet nobody knows, and it may get it before this call returns. So
// everything that it will need is written before the submit, and nothing is touched after
// it.
void check_submitted(connection* lent, int returned, const char* call) {
    if (returned == SOCKET_ERROR) {
        const int code = ::WSAGetLastError();
        if (code != WSA_IO_PENDING) {
            const auto mine = iocp::take_back<connection>(lent);
            // back: the connection: at once, and it goes
            iocp::report(code, call);
        }
    }
}

void receive(std::unique_ptr<connection> mine) {
    mine->clear();
    mine->receiving = true;
    WSABUF room{sizeof mine->buffer, mine->buffer};
    DWORD flags = 0;
    connection* const lent = iocp::lend(std::move(mine));
    // lent: the connection -> kernel until its packet is dequeued
    check_submitted(lent,
                    ::WSARecv(lent->socket.get(), &room, 1, nullptr, &flags, lent, nullptr),
                    "WSARecv");
}

void send_rest(std::unique_ptr<connection> mine) {
    mine->clear();
    mine->receiving = false;
    WSABUF rest{mine->end - mine->begin, mine->buffer + mine->begin};
    connection* const lent = iocp::lend(std::move(mine));
    // lent: the connection -> kernel until its packet is dequeued
    check_submitted(lent,
                    ::WSASend(lent->socket.get(), &rest, 1, nullptr, 0, lent, nullptr),
                    "WSASend");
}
// [/submit]

// [advance]
void advance(std::unique_ptr<connection> mine, DWORD bytes) {
    if (!mine->receiving) {
        mine->begin += bytes;
        mine->begin < mine->end ? send_rest(std::move(mine)) : receive(std::move(mine));
    } else if (bytes > 0) {
        mine->begin = 0;
        mine->end = bytes; // the length of the answer is the length of the message
        send_rest(std::move(mine));
    } else if (::shutdown(mine->socket.get(), SD_SEND) ==
               SOCKET_ERROR) { // and the connection goes, either way
        iocp::report(::WSAGetLastError(), "shutdown");
    }
}
// [/advance]

// [worker]
// A client that leaves, or an operation that fails, ends one connection. Only a packet of
// our own ends a worker.
void work(HANDLE port) {
    for (;;) {
        DWORD bytes = 0;
        ULONG_PTR key = 0;
        OVERLAPPED* overlapped = nullptr;
        const BOOL good =
            ::GetQueuedCompletionStatus(port, &bytes, &key, &overlapped, INFINITE);
        const DWORD code = good ? ERROR_SUCCESS : ::GetLastError();
        if (overlapped == nullptr) {
            if (!good) {
                iocp::report(code, "GetQueuedCompletionStatus");
            }
            return;
        }
        auto mine = iocp::take_back<connection>(overlapped);
        // back: the connection
        if (good) {
            advance(std::move(mine), bytes);
        } else {
            iocp::report(code, mine->receiving ? "WSARecv" : "WSASend");
        }
    }
}
// [/worker]

// [pool]
struct worker_pool {
    worker_pool(HANDLE shared_port, unsigned count) : port{shared_port} {
        try {
            for (unsigned i = 0; i < count; ++i) {
                threads.emplace_back(work, port);
            }
        } catch (const std::exception& problem) {
            std::fprintf(stderr, "std::thread: %s\n", problem.what());
            if (threads.empty()) {
                throw;
            } // those that have started do the work
        }
    }

    // [stop_packets]
    // One packet per worker: each takes one and takes no other.
    ~worker_pool() {
        for (std::size_t i = 0; i < threads.size(); ++i) {
            while (!::PostQueuedCompletionStatus(port, 0, stop_key, nullptr)) {
                iocp::report(::GetLastError(), "PostQueuedCompletionStatus");
                ::Sleep(100); // short of memory for a packet; without it a worker would
                              // never end
            }
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
    }
    // [/stop_packets]

    HANDLE port;
    std::vector<std::thread> threads;
};
// [/pool]

// [server]
struct server {
    // The concurrency value is not the number of workers. It says how many of them the
    // system lets run at once; 0 is as many as there are processors. A worker that blocks
    // makes room for another one that waits.
    iocp::unique_handle port = iocp::make_port(0);
    iocp::live_set<connection> live;

    // The workers have ended by now, so each connection that is left is in flight.
    ~server() {
        live.for_each([](connection& c) { iocp::cancel_and_close(c.socket); });
        while (live.size() > 0) {
            DWORD bytes = 0;
            ULONG_PTR key = 0;
            OVERLAPPED* overlapped = nullptr;
            ::GetQueuedCompletionStatus(port.get(), &bytes, &key, &overlapped, INFINITE);
            if (overlapped == nullptr) {
                iocp::report(::GetLastError(), "GetQueuedCompletionStatus");
                return; // without the port nothing can come back: what is lent stays lent
            }
            const auto mine = iocp::take_back<connection>(overlapped);
            // back: the connection, whatever has become of its operation
        }
    }
};
// [/server]

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
        if (first != WSA_WAIT_EVENT_0 + 1) {
            continue;
        }
        try {
            if (iocp::unique_socket accepted = acceptor.take()) {
                iocp::associate(accepted.get(), s.port, client_key);
                iocp::send_without_delay(accepted.get());
                receive(std::make_unique<connection>(std::move(accepted), s.live));
            }
        } catch (const iocp::call_error& problem) {
            std::fprintf(stderr, "%s\n",
                         problem.what()); // one client less; the listener goes on
        }
    }
}
// [/accept]

} // namespace

int main(int argc, char** argv) {
    iocp::server_options options;
    unsigned workers = std::max(1U, std::thread::hardware_concurrency());
    iocp::command_line{"08_worker_pool", "many workers on one port"}
        .server(options)
        .number("--workers", workers, 1, 64,
                "threads that take packets from the port; by default one per processor")
        .parse(argc, argv);
    try {
        const iocp::winsock winsock;
        const iocp::stop_signal stop;
        const iocp::address where{options.host, options.port};
        iocp::unique_socket listener = iocp::overlapped_socket(where.family());
        iocp::start_listening(listener.get(), where);
        iocp::event_acceptor acceptor{std::move(listener), where.family()};

        server s;
        const worker_pool pool{s.port.get(), workers};
        accept_until_stopped(s, acceptor, stop);
    } catch (const std::exception& problem) { // by now the workers have ended, and then
                                              // everything has come back
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
