// Chapter 09: everything on the port. Accepts are packets like the others, several wait for clients at a time, and a
// connection receives and sends at once. So a packet must say what it ends, and a connection must know when its last
// operation is back: it counts them.

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

enum completion_key : ULONG_PTR { listener_key = 1, client_key = 2 }; // and iocp::stop_worker_key

// [kinds]
// The key says which kind of handle a packet is about, the operation says what has ended.
enum class kind { accept, receive, send };

struct io_operation : iocp::operation {
    explicit io_operation(kind what_it_is) : what{what_it_is} {}
    const kind what;
};

struct accept_operation : io_operation {
    accept_operation() : io_operation{kind::accept} {}
    iocp::unique_socket socket;
    char addresses[2 * iocp::accept_address_room];
};

struct connection_operation : io_operation {
    connection_operation(kind what_it_is, class connection& belongs_to)
        : io_operation{what_it_is}, owner{belongs_to} {}
    class connection& owner;
    bool in_flight = false;
};
// [/kinds]

class connection {
public:
    connection(iocp::unique_socket accepted, iocp::live_set<connection>& all)
        : socket_{std::move(accepted)}, siblings_{all} {
        siblings_.enter(*this);
    }
    ~connection() { siblings_.leave(*this); }
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    // [count]
    // Every step of a connection is made here, and here is the one place where it ends: closed, and the last of its
    // operations is back. Before that the kernel may still write to it; after that no packet can lead to it.
    template <class Step>
    static void run(connection& c, Step step) {
        bool last = false;
        {
            const std::lock_guard lock{c.lock_};
            step();
            c.move_on();
            last = c.closed_ && c.in_flight_ == 0;
        } // unlocked before it is destroyed
        if (last) {
            const std::unique_ptr<connection> mine{&c};
            // back: the connection
        }
    }

    static void start(std::unique_ptr<connection> fresh) {
        // lent: the connection -> kernel until it is closed and its last operation is back
        run(*fresh.release(), [] {});
    }

    static void completed(connection_operation& operation, DWORD bytes, DWORD code) {
        connection& c = operation.owner;
        run(c, [&] {
            operation.in_flight = false;
            --c.in_flight_;
            // back: operation, and the inbox with a receive, the outbox with a send
            if (c.closed_) {
                return; // what it brought does not matter any more
            }
            const bool receiving = operation.what == kind::receive;
            if (code != ERROR_SUCCESS) {
                iocp::report(code, receiving ? "WSARecv" : "WSASend");
                c.close();
            } else if (receiving) {
                c.waiting_ = bytes;
                c.input_over_ = bytes == 0;
            } else {
                c.begin_ += bytes; // all of it, or, for all we know, a part
            }
        });
    }
    // [/count]

    // Its operations come back all the same, as failures.
    void close() {
        closed_ = true;
        socket_.reset(); // nobody is inside a call on it: such calls are made under the lock
    }

private:
    // [move_on]
    // Whatever has ended, the question is the same: what can be done now?
    void move_on() {
        if (begin_ == end_ && waiting_ > 0) { // the outbox is empty: the two change places
            std::swap(inbox_, outbox_);
            begin_ = 0;
            end_ = std::exchange(waiting_, 0);
        }
        if (!closed_ && !send_.in_flight && begin_ < end_) {
            submit_send();
        }
        if (!closed_ && !receive_.in_flight && waiting_ == 0 && !input_over_) {
            submit_receive();
        }
        if (!closed_ && input_over_ && begin_ == end_) {
            if (::shutdown(socket_.get(), SD_SEND) == SOCKET_ERROR) {
                iocp::report(::WSAGetLastError(), "shutdown");
            }
            close();
        }
    }
    // [/move_on]

    // [submit]
    void submit_receive() {
        receive_.clear();
        WSABUF room{buffer_size, inbox_};
        DWORD flags = 0;
        // lent: receive_, the inbox -> kernel until the packet is dequeued
        after_submit(receive_, ::WSARecv(socket_.get(), &room, 1, nullptr, &flags, &receive_, nullptr), "WSARecv");
    }

    void submit_send() {
        send_.clear();
        WSABUF rest{end_ - begin_, outbox_ + begin_};
        // lent: send_, the outbox -> kernel until the packet is dequeued
        after_submit(send_, ::WSASend(socket_.get(), &rest, 1, nullptr, 0, &send_, nullptr), "WSASend");
    }

    // The packet may have been dequeued already, but its worker waits for the lock that we hold. So, unlike in
    // chapter 08, the connection may still be touched here.
    void after_submit(connection_operation& operation, int returned, const char* call) {
        const int code = returned == 0 ? 0 : ::WSAGetLastError();
        if (code == 0 || code == WSA_IO_PENDING) {
            operation.in_flight = true;
            ++in_flight_;
            return;
        }
        // back: operation and its buffer: at once
        iocp::report(code, call);
        close();
    }
    // [/submit]

    // [state]
    // Two buffers: while one is being sent, the other is being filled. When that is full and the first still busy, it
    // waits, and no receive is submitted: a client that does not read stops its own sending, and costs two buffers.
    static constexpr ULONG buffer_size = 8 * 1024;

    iocp::unique_socket socket_;
    iocp::live_set<connection>& siblings_;
    std::mutex lock_; // of all below and of every call on the socket: two workers may meet here, one with each packet
    connection_operation receive_{kind::receive, *this};
    connection_operation send_{kind::send, *this};
    char buffers_[2][buffer_size];
    char* inbox_ = buffers_[0];  // lent to the receive
    char* outbox_ = buffers_[1]; // lent to the send
    ULONG waiting_ = 0;          // bytes in the inbox, received while the outbox was busy
    ULONG begin_ = 0;            // still to be sent: outbox_[begin_, end_)
    ULONG end_ = 0;
    int in_flight_ = 0;
    bool input_over_ = false;
    bool closed_ = false;
    // [/state]
};

// [accept_pool]
class accept_pool {
public:
    accept_pool(iocp::unique_socket listening, int family, const iocp::unique_handle& port, unsigned target)
        : listener_{std::move(listening)}, family_{family}, extensions_{listener_.get()}, target_{target} {
        iocp::associate(listener_.get(), port, listener_key);
        top_up();
    }

    // An accept that could not be armed must be tried again, or one day nobody can come in. So this is called whenever
    // something may have changed for the better: a packet came, perhaps of a connection that left; time has passed.
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

    void close() { listener_.reset(); } // its accepts come back all the same, as failures
    bool all_back() const { return armed_ == 0; }

private:
    void submit() {
        auto mine = std::make_unique<accept_operation>();
        mine->socket = iocp::overlapped_socket(family_);
        DWORD bytes = 0;
        accept_operation* const lent = iocp::lend(std::move(mine));
        // lent: the accept operation with its socket -> kernel until its packet is dequeued
        if (!extensions_.AcceptEx(listener_.get(), lent->socket.get(), lent->addresses, 0, iocp::accept_address_room,
                                  iocp::accept_address_room, &bytes, lent)) {
            const int code = ::WSAGetLastError();
            if (code != ERROR_IO_PENDING) {
                mine = iocp::take_back<accept_operation>(lent);
                // back: the accept operation: at once
                iocp::fail(code, "AcceptEx");
            }
        }
    }

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

    void dispatch(io_operation* operation, const iocp::packet& packet) {
        switch (operation->what) {
        case kind::accept:
            accepted(static_cast<accept_operation*>(operation), packet.code);
            break;
        case kind::receive:
        case kind::send:
            connection::completed(*static_cast<connection_operation*>(operation), packet.bytes, packet.code);
            break;
        }
    }

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
            std::fprintf(stderr, "%s\n", problem.what()); // one client less; the listener goes on
        }
    }
    // [/dispatch]

    // [stop]
    // The workers have ended. What is still in flight is ended by closing its socket, and comes back through the port.
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
                accepts_.take(static_cast<accept_operation*>(operation), ERROR_OPERATION_ABORTED);
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

int main(int argc, char** argv) {
    iocp::server_options options;
    unsigned workers = std::max(1U, std::thread::hardware_concurrency());
    unsigned accepts = 4;
    iocp::command_line{"09_everything_on_the_port", "accepts, receives and sends are packets of one port"}
        .server(options)
        .number("--workers", workers, 1, 64, "threads that take packets from the port; by default one per processor")
        .number("--accepts", accepts, 1, 1000, "how many accepts wait for clients")
        .parse(argc, argv);
    try {
        const iocp::winsock winsock;
        const iocp::stop_signal stop;
        const iocp::address where{options.host, options.port};
        iocp::unique_socket listener = iocp::overlapped_socket(where.family());
        iocp::start_listening(listener.get(), where);

        server s{std::move(listener), where.family(), accepts};
        const iocp::worker_pool pool{s.port(), workers, [&s] { s.work(); }};
        stop.wait();
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
