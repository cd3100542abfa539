#pragma once
// The engine, worker.hpp: what a worker does with a packet, and with an operation that has
// ended without one.

#include "operation.hpp"

#include "common/error.hpp"
#include "common/port.hpp"
#include "common/unique.hpp"

#include <winsock2.h>

#include <utility>

// [complete]
inline void complete(const iocp::packet& packet) noexcept {
    auto* const mine = static_cast<operation*>(packet.overlapped);
    mine->take_back();
    // back: the operation, and what was lent with it
    mine->complete(packet.ended);
}
// [/complete]

// [worker]
// One for each thread of the pool.
class worker {
public:
    explicit worker(const iocp::unique_handle& port) noexcept : port_{port} {
        here_ = this;
    }
    ~worker() { here_ = nullptr; }
    worker(const worker&) = delete;
    worker& operator=(const worker&) = delete;

    // [run]
    // Until a packet of our own, without an operation, ends this worker.
    void run() noexcept {
        for (;;) {
            while (ready_ != nullptr) { // no packet comes for these
                operation* const next = std::exchange(ready_, ready_->next);
                complete({next, 0, next->ended});
            }
            const iocp::packet packet = iocp::dequeue(port_, INFINITE);
            if (packet.overlapped == nullptr) {
                if (packet.ended.error != ERROR_SUCCESS) {
                    iocp::report(packet.ended.error, "GetQueuedCompletionStatus");
                }
                return;
            }
            complete(packet);
        }
    }
    // [/run]

    // [ready]
    // For an operation that has ended at once and is still counted as in flight. This
    // thread's worker goes on with it next. A thread that is no worker posts the packet
    // that the system did not.
    static void ready(operation& one, const iocp::unique_handle& port) noexcept {
        if (here_ != nullptr) {
            one.next = std::exchange(here_->ready_, &one);
            return;
        }
        while (!::PostQueuedCompletionStatus(port.get(), one.ended.bytes, 0, &one)) {
            iocp::report(::GetLastError(), "PostQueuedCompletionStatus");
            ::Sleep(100); // no memory for a packet; without it the connection never ends
        }
    }
    // [/ready]

private:
    static inline thread_local worker* here_ = nullptr; // of this thread
    const iocp::unique_handle& port_;
    operation* ready_ = nullptr; // linked by `next`; only this thread's
};
// [/worker]
