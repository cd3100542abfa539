#pragma once
// Chapter 17, worker: takes packets from a port, one by one or in batches, and hands each
// to what it belongs to.

#include "common/accept_pool.hpp"
#include "common/operation.hpp"
#include "common/unique.hpp"

#include <winsock2.h>

#include <deque>

class server;

enum completion_key : ULONG_PTR {
    listener_key = 1,
    client_key = 2,
    tick_key = 3
}; // and 0, of the packets that stop a worker

// [completion]
// One operation that has ended.
struct completion {
    iocp::typed_operation* operation = nullptr; // null: a packet of our own
    ULONG_PTR key = 0;
    DWORD bytes = 0;
    DWORD code = ERROR_SUCCESS;
    bool code_is_known =
        true; // not so for an entry of a batch: there the operation must be asked
};
// [/completion]

class worker {
public:
    worker(server& home, const iocp::unique_handle& port) : server_{home}, port_{port} {}

    // Until a packet tells it to stop.
    void run();

    // Looks at the port once, for `wait_ms` at most, then does what is left over from
    // before. Returns false when the port is gone.
    bool step(DWORD wait_ms);

    // [later]
    // For an operation that has succeeded at once in skip mode, after its connection has
    // had its fair share: no packet will come for it, so it waits here until this worker
    // has looked at its port again.
    void later(iocp::typed_operation& operation, DWORD bytes) {
        left_over_.push_back({&operation, client_key, bytes, ERROR_SUCCESS, true});
    }
    // [/later]

    const iocp::unique_handle& port() const { return port_; }

private:
    bool take_one(DWORD wait_ms);
    bool take_batch(DWORD wait_ms);
    void handle(const completion& ended);
    void told_to_stop();

    server& server_;
    const iocp::unique_handle& port_;
    std::deque<completion> left_over_; // only this worker's thread uses it, and, when that
                                       // has ended, the main thread
    bool stop_ = false;
};
