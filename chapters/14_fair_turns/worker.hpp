#pragma once
// The engine, worker.hpp: rounds. In each, everybody who is ready has one turn.

#include "operation.hpp"
#include "ready_queue.hpp"
#include "settings.hpp"

#include "common/error.hpp"
#include "common/port.hpp"
#include "common/unique.hpp"

#include <winsock2.h>

#include <algorithm>
#include <cstddef>
#include <limits>

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
    // [most]
    // What a worker has taken is hidden from all others. So, if there are others, this is
    // the most that stands behind one handler; what is over stays at the port.
    static constexpr std::size_t most_behind = 64;

    worker(const iocp::unique_handle& port, const settings& how) noexcept
        : port_{port}, most_{how.workers == 1 ? std::numeric_limits<std::size_t>::max()
                                              : most_behind} {
        here_ = this;
    }
    // [/most]
    ~worker() { here_ = nullptr; }
    worker(const worker&) = delete;
    worker& operator=(const worker&) = delete;

    // [run]
    void run() noexcept {
        while (!stop_) {
            look();
            while (operation* const next = ready_.take()) {
                round_.put_last(*next);
            }
            while (operation* const next = round_.take()) {
                complete({next, 0, next->ended});
            }
        }
        while (operation* const next = ready_.take()) {
            post(*next, port_); // for whoever works on the port after this worker
        }
    }
    // [/run]

    // [ready]
    // For what is ready and needs no packet, still counted as in flight. It gets its turn
    // in the next round; `first`: in this one, right now.
    static void ready(operation& one, const iocp::unique_handle& port,
                      bool first = false) noexcept {
        const bool keeps = here_ != nullptr && (first || here_->has_room());
        if (!keeps) {
            post(one, port); // behind all that waits at the port: any worker may take it
        } else if (first) {
            here_->round_.put_first(one);
        } else {
            here_->ready_.put_last(one);
        }
    }

    // Is there anybody to whom the next turn belongs?
    static bool others_wait() noexcept {
        return here_ != nullptr && !here_->full_ &&
               !(here_->round_.empty() && here_->ready_.empty());
    }
    // [/ready]

private:
    // For one more that only this worker knows of. If there may be more at the port, no.
    bool has_room() const noexcept {
        return !full_ && round_.size() + ready_.size() < most_;
    }

    // [look]
    // What is at the port comes first in the next round. Those who have had a turn in the
    // last one come after that.
    void look() noexcept {
        const std::size_t most = ready_.size() < most_ ? most_ - ready_.size() : 1;
        full_ = false;
        for (DWORD wait = ready_.empty() ? INFINITE : 0; !full_; wait = 0) {
            const iocp::packet packet = iocp::dequeue(port_, wait);
            if (packet.overlapped == nullptr) {
                stop_ = packet.ended.error != WAIT_TIMEOUT;
                if (stop_ && packet.ended.error != ERROR_SUCCESS) {
                    iocp::report(packet.ended.error, "GetQueuedCompletionStatus");
                }
                break;
            }
            auto& mine = *static_cast<operation*>(packet.overlapped);
            mine.ended = packet.ended;
            round_.put_last(mine);
            full_ = round_.size() == most; // so there may be more at the port
        }
    }
    // [/look]

    // [post]
    static void post(operation& one, const iocp::unique_handle& port) noexcept {
        while (!::PostQueuedCompletionStatus(port.get(), one.ended.bytes, 0, &one)) {
            iocp::report(::GetLastError(), "PostQueuedCompletionStatus");
            ::Sleep(100); // no memory for a packet; without it the connection never ends
        }
    }
    // [/post]

    static inline thread_local worker* here_ = nullptr; // of this thread
    const iocp::unique_handle& port_;
    const std::size_t most_;
    ready_queue round_; // have their turn now
    ready_queue ready_; // in the next round
    bool full_ = false;
    bool stop_ = false;
};
// [/worker]
