#include "worker.hpp"

#include "connection.hpp"
#include "server.hpp"

#include "common/error.hpp"
#include "common/port.hpp"
#include "common/worker_pool.hpp"

#include <algorithm>

// [run]
void worker::run() {
    while (!stop_) {
        // With work of its own left over it only glances at the port. So a client that
        // always has data ready cannot keep the others waiting, and they cannot keep it
        // waiting either.
        if (!step(left_over_.empty() ? INFINITE : 0)) {
            return;
        }
    }
}

bool worker::step(DWORD wait_ms) {
    const bool port_is_there =
        server_.how().no_batch ? take_one(wait_ms) : take_batch(wait_ms);
    for (std::size_t count = left_over_.size(); count > 0; --count) {
        const completion next = left_over_.front();
        left_over_.pop_front();
        handle(next); // may leave something over again: for the next time
    }
    return port_is_there;
}
// [/run]

// [take_one]
bool worker::take_one(DWORD wait_ms) {
    const iocp::packet packet = iocp::dequeue(port_, wait_ms);
    if (packet.overlapped == nullptr && packet.ended.error != ERROR_SUCCESS) {
        if (packet.ended.error != WAIT_TIMEOUT) {
            iocp::report(packet.ended.error, "GetQueuedCompletionStatus");
        }
        return packet.ended.error == WAIT_TIMEOUT;
    }
    handle({static_cast<iocp::typed_operation*>(packet.overlapped), packet.key,
            packet.ended.bytes, packet.ended.error, true});
    return true;
}
// [/take_one]

// [take_batch]
bool worker::take_batch(DWORD wait_ms) {
    constexpr std::size_t most = 64;
    OVERLAPPED_ENTRY entries[most];
    const std::size_t share =
        server_.live() /
        server_.how().workers; // no more, or others would wait for packets we hold
    ULONG count = 0;
    if (!::GetQueuedCompletionStatusEx(
            port_.get(), entries,
            static_cast<ULONG>(std::clamp<std::size_t>(share, 1, most)), &count, wait_ms,
            FALSE)) {
        const DWORD code = ::GetLastError();
        if (code != WAIT_TIMEOUT) {
            iocp::report(code, "GetQueuedCompletionStatusEx");
        }
        return code == WAIT_TIMEOUT;
    }
    for (ULONG i = 0; i < count; ++i) {
        const OVERLAPPED_ENTRY& entry = entries[i];
        handle({static_cast<iocp::typed_operation*>(entry.lpOverlapped),
                entry.lpCompletionKey, entry.dwNumberOfBytesTransferred, ERROR_SUCCESS,
                entry.lpOverlapped == nullptr});
    }
    return true;
}
// [/take_batch]

// [handle]
void worker::handle(const completion& ended) {
    if (ended.operation != nullptr) {
        if (ended.operation->what == iocp::kind::accept) {
            server_.accepted(ended, *this);
        } else {
            connection::completed(ended, *this);
        }
    } else if (ended.key == tick_key) {
        server_.tick();
    } else {
        told_to_stop();
    }
}

void worker::told_to_stop() {
    if (!stop_) {
        stop_ = true;
        return;
    }
    // A batch may hold the packet of another worker, too: it goes back.
    while (!::PostQueuedCompletionStatus(port_.get(), 0, 0, nullptr)) {
        iocp::report(::GetLastError(), "PostQueuedCompletionStatus");
        ::Sleep(100); // short of memory for a packet; without it a worker would never end
    }
}
// [/handle]
