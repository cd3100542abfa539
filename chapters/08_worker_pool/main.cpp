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
#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace {

// [connection]
// Owned by whoever has its packet; while an operation is in flight, by the kernel.
class connection final : public iocp::operation {
public:
    connection(iocp::unique_socket accepted, iocp::live_set<connection>& all)
        : socket_{std::move(accepted)}, live_{all} {
        live_.enter(*this);
    }
    ~connection() { live_.leave(*this); }

    // [advance]
    static void advance(std::unique_ptr<connection> mine, iocp::result ended) {
        if (ended.error != ERROR_SUCCESS) { // this client is lost; the others are not
            iocp::report(ended.error, mine->receiving_ ? "WSARecv" : "WSASend");
            return;
        }
        if (mine->receiving_ && ended.bytes == 0) { // it has said all; the connection goes
            if (::shutdown(mine->socket_.get(), SD_SEND) == SOCKET_ERROR) {
                iocp::report(::WSAGetLastError(), "shutdown");
            }
            return;
        }
        if (mine->receiving_) {
            mine->begin_ = 0;
            mine->end_ = ended.bytes; // the length of the answer is that of the message
        } else {
            mine->begin_ += ended.bytes;
        }
        if (mine->begin_ < mine->end_) {
            send_rest(std::move(mine));
        } else {
            receive(std::move(mine));
        }
    }
    // [/advance]

    // [submit]
    static void receive(std::unique_ptr<connection> mine) {
        mine->clear();
        mine->receiving_ = true;
        WSABUF room{sizeof mine->buffer_, mine->buffer_};
        DWORD flags = 0;
        connection* const lent = iocp::lend(std::move(mine));
        // lent: the connection -> kernel until its packet is dequeued
        check_submitted(
            lent, ::WSARecv(lent->socket_.get(), &room, 1, nullptr, &flags, lent, nullptr),
            "WSARecv");
    }

    static void send_rest(std::unique_ptr<connection> mine) {
        mine->clear();
        mine->receiving_ = false;
        WSABUF rest{mine->end_ - mine->begin_, mine->buffer_ + mine->begin_};
        connection* const lent = iocp::lend(std::move(mine));
        // lent: the connection -> kernel until its packet is dequeued
        check_submitted(lent,
                        ::WSASend(lent->socket_.get(), &rest, 1, nullptr, 0, lent, nullptr),
                        "WSASend");
    }

    // We do not know which worker gets the packet, and it may get it before the call
    // returns. So everything that it will need is written before the submit, and nothing is
    // touched after it.
    static void check_submitted(connection* lent, int returned, const char* call) {
        const int code = returned == 0 ? 0 : ::WSAGetLastError();
        if (code != 0 && code != WSA_IO_PENDING) {
            const std::unique_ptr<connection> mine{lent};
            // back: the connection: at once, and it goes
            iocp::report(code, call);
        }
    }
    // [/submit]

    void close() noexcept { iocp::cancel_and_close(socket_); }

private:
    iocp::unique_socket socket_;
    iocp::live_set<connection>& live_;
    char buffer_[4096];
    ULONG begin_ = 0; // received and not yet sent: buffer_[begin_, end_)
    ULONG end_ = 0;
    bool receiving_ = false;
};
// [/connection]

// [worker]
// A client that leaves, or an operation that fails, ends one connection. Only a packet of
// our own ends a worker.
void work(const iocp::unique_handle& port) {
    for (;;) {
        iocp::result ended;
        ULONG_PTR key = 0;
        OVERLAPPED* overlapped = nullptr;
        if (!::GetQueuedCompletionStatus(port.get(), &ended.bytes, &key, &overlapped,
                                         INFINITE)) {
            ended.error = ::GetLastError();
        }
        if (overlapped == nullptr) {
            if (ended.error != ERROR_SUCCESS) {
                iocp::report(ended.error, "GetQueuedCompletionStatus");
            }
            return;
        }
        auto mine = iocp::take_back<connection>(overlapped);
        // back: the connection
        connection::advance(std::move(mine), ended);
    }
}
// [/worker]

// [pool]
struct worker_pool {
    worker_pool(const iocp::unique_handle& shared, unsigned count) : port{shared} {
        threads.reserve(count); // so that no thread exists that is not in the list
        try {
            for (unsigned i = 0; i < count; ++i) {
                threads.emplace_back([this] { work(port); });
            }
        } catch (const std::exception& problem) {
            std::fprintf(stderr, "std::thread: %s\n", problem.what());
            if (threads.empty()) {
                throw;
            } // those that have started do the work
        }
    }

    // [stop_packets]
    // One packet for each worker: it takes one and takes no other.
    ~worker_pool() {
        for (std::size_t i = 0; i < threads.size(); ++i) {
            while (!::PostQueuedCompletionStatus(port.get(), 0, 0, nullptr)) {
                iocp::report(::GetLastError(), "PostQueuedCompletionStatus");
                ::Sleep(100); // no memory for a packet; without it a worker would never end
            }
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
    }
    // [/stop_packets]

    const iocp::unique_handle& port;
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
        live.for_each([](connection& c) { c.close(); });
        while (live.size() > 0) {
            const iocp::packet packet = iocp::dequeue(port, INFINITE);
            if (packet.overlapped == nullptr) {
                iocp::report(packet.ended.error, "GetQueuedCompletionStatus");
                return; // without the port nothing can come back: what is lent stays lent
            }
            const auto mine = iocp::take_back<connection>(packet.overlapped);
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
                iocp::associate(accepted.get(), s.port);
                iocp::send_without_delay(accepted.get());
                connection::receive(
                    std::make_unique<connection>(std::move(accepted), s.live));
            }
        } catch (const std::exception& problem) { // one client less; the listener goes on
            std::fprintf(stderr, "%s\n", problem.what());
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
        .number("--workers", workers, 1, 64, "threads that take packets from the port")
        .parse(argc, argv);
    try {
        const iocp::winsock winsock;
        const iocp::stop_signal stop;
        const iocp::address where{options.host, options.port};
        iocp::unique_socket listener = iocp::overlapped_socket(where.family());
        iocp::start_listening(listener.get(), where);
        iocp::event_acceptor acceptor{std::move(listener), where.family()};

        server s;
        const worker_pool pool{s.port, workers};
        accept_until_stopped(s, acceptor, stop);
    } catch (
        const std::exception& problem) { // the workers have ended, then all has come back
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
