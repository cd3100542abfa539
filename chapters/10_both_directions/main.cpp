// Chapter 10: everything on the port. Accepts are packets like the others, several wait for
// clients at a time, and a connection receives and sends at once. So a packet must say what
// it ends, and a connection must know when its last operation is back: it counts them. That
// part is in connection.hpp; read it first.

#include "connection.hpp"

#include "common/address.hpp"
#include "common/command_line.hpp"
#include "common/error.hpp"
#include "common/event_acceptor.hpp"
#include "common/extension_functions.hpp"
#include "common/listener.hpp"
#include "common/live_set.hpp"
#include "common/operation.hpp"
#include "common/overlapped_socket.hpp"
#include "common/port.hpp"
#include "common/stop_signal.hpp"
#include "common/unique.hpp"
#include "common/winsock.hpp"
#include "common/worker_pool.hpp"

#include <winsock2.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace {

enum completion_key : ULONG_PTR {
    listener_key = 1,
    client_key = 2
}; // and iocp::stop_worker_key

// [accept_pool]
class accept_pool {
public:
    accept_pool(iocp::unique_socket listening, int family, const iocp::unique_handle& port,
                unsigned target)
        : listener_{std::move(listening)}, family_{family},
          extensions_{listener_.get()}, target_{target} {
        iocp::associate(listener_.get(), port, listener_key);
        top_up();
    }

    // [top_up]
    // An accept that could not be armed must be tried again, or one day nobody can come in.
    // So this is called whenever something may have changed for the better: a packet came,
    // perhaps of a connection that left; time has passed.
    void top_up() {
        const std::lock_guard lock{lock_};
        try {
            for (; armed_ < target_; ++armed_) {
                submit();
            }
        } catch (const std::exception& problem) {
            std::fprintf(stderr, "%s\n", problem.what());
        }
    }
    // [/top_up]

    // [take]
    // The accepted socket, or none if that accept has failed.
    iocp::unique_socket take(accept_operation* lent, DWORD code) {
        const auto mine = iocp::take_back<accept_operation>(lent);
        // back: the accept operation with its socket
        {
            const std::lock_guard lock{lock_};
            --armed_;
        }
        if (code != ERROR_SUCCESS) {
            return {};
        }
        iocp::update_accept_context(mine->socket.get(), listener_.get());
        return std::move(mine->socket);
    }
    // [/take]

    void close() {
        iocp::cancel_and_close(listener_);
    } // its accepts come back all the same, as failures
    bool all_back() const { return armed_ == 0; }

private:
    // [arm]
    void submit() {
        auto mine = std::make_unique<accept_operation>();
        mine->socket = iocp::overlapped_socket(family_);
        DWORD bytes = 0;
        accept_operation* const lent = iocp::lend(std::move(mine));
        // lent: the accept operation with its socket -> kernel until its packet is dequeued
        if (!extensions_.AcceptEx(listener_.get(), lent->socket.get(), lent->addresses, 0,
                                  iocp::accept_address_room, iocp::accept_address_room,
                                  &bytes, lent)) {
            const int code = ::WSAGetLastError();
            if (code != ERROR_IO_PENDING) {
                mine = iocp::take_back<accept_operation>(lent);
                // back: the accept operation: at once
                iocp::fail(code, "AcceptEx");
            }
        }
    }
    // [/arm]

    iocp::unique_socket listener_;
    int family_;
    iocp::extension_functions extensions_;
    const unsigned target_;
    std::mutex lock_;    // of armed_
    unsigned armed_ = 0; // accepts in flight
};
// [/accept_pool]

class server {
public:
    server(iocp::unique_socket listener, int family, unsigned accepts)
        : accepts_{std::move(listener), family, port_, accepts} {}

    const iocp::unique_handle& port() const { return port_; }

    // [dispatch]
    // [work]
    void work() {
        for (;;) {
            constexpr DWORD retry_ms = 1000;
            const iocp::packet packet = iocp::dequeue(port_, retry_ms);
            if (packet.overlapped != nullptr) {
                dispatch(static_cast<io_operation*>(packet.overlapped), packet);
            } else if (packet.code == ERROR_SUCCESS) {
                return; // the packet that stops a worker
            } else if (packet.code != WAIT_TIMEOUT) {
                iocp::report(packet.code, "GetQueuedCompletionStatus");
                return;
            }
            accepts_.top_up();
        }
    }
    // [/work]

    // [by_kind]
    void dispatch(io_operation* operation, const iocp::packet& packet) {
        switch (operation->what) {
        case kind::accept:
            accepted(static_cast<accept_operation*>(operation), packet.code);
            break;
        case kind::receive:
        case kind::send:
            connection::completed(*static_cast<connection_operation*>(operation),
                                  packet.bytes, packet.code);
            break;
        }
    }
    // [/by_kind]

    // [accepted]
    void accepted(accept_operation* lent, DWORD code) {
        try {
            iocp::unique_socket socket = accepts_.take(lent, code);
            if (!socket) {
                iocp::report(code, "AcceptEx"); // that client has left again
                return;
            }
            iocp::associate(socket.get(), port_, client_key);
            iocp::send_without_delay(socket.get());
            connection::start(std::make_unique<connection>(std::move(socket), live_));
        } catch (const std::exception& problem) {
            std::fprintf(stderr, "%s\n",
                         problem.what()); // one client less; the listener goes on
        }
    }
    // [/accepted]
    // [/dispatch]

    // [stop]
    // The workers have ended. What is still in flight is ended by closing its socket, and
    // comes back through the port.
    ~server() {
        accepts_.close();
        live_.for_each([](connection& c) { c.close(); });
        while (!accepts_.all_back() || live_.size() > 0) {
            const iocp::packet packet = iocp::dequeue(port_, INFINITE);
            auto* const operation = static_cast<io_operation*>(packet.overlapped);
            if (operation == nullptr) {
                iocp::report(packet.code, "GetQueuedCompletionStatus");
                return; // without the port nothing can come back: what is lent stays lent
            }
            if (operation->what == kind::accept) {
                // Whoever has come in this very moment goes again.
                accepts_.take(static_cast<accept_operation*>(operation),
                              ERROR_OPERATION_ABORTED);
            } else {
                dispatch(operation, packet);
            }
        }
    }
    // [/stop]

private:
    const iocp::unique_handle port_ = iocp::make_port(0);
    iocp::live_set<connection> live_;
    accept_pool accepts_;
};

} // namespace

// [main]
int main(int argc, char** argv) {
    iocp::server_options options;
    unsigned workers = std::max(1U, std::thread::hardware_concurrency());
    unsigned accepts = 4;
    iocp::command_line{"10_both_directions",
                       "accepts, receives and sends are packets of one port"}
        .server(options)
        .number("--workers", workers, 1, 64,
                "threads that take packets from the port; by default one per processor")
        .number("--accepts", accepts, 1, 1000, "how many accepts wait for clients")
        .parse(argc, argv);
    try {
        const iocp::winsock winsock;
        const iocp::stop_signal stop;
        const iocp::address where{options.host, options.port};
        iocp::unique_socket listener = iocp::overlapped_socket(where.family());
        iocp::start_listening(listener.get(), where);

        server s{std::move(listener), where.family(), accepts};
        iocp::worker_pool pool;
        pool.start(s.port(), workers, [&s] { s.work(); });
        stop.wait();
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
// [/main]
