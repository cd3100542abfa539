#pragma once
// The engine, worker.hpp: what a worker does with a packet.

#include "operation.hpp"

#include "common/error.hpp"
#include "common/port.hpp"
#include "common/unique.hpp"

#include <winsock2.h>

// [work]
// Takes packets until one of our own, without an operation, ends this worker. Whatever kind
// of operation has ended, and however: it knows itself what is to be done.
inline void work(const iocp::unique_handle& port) noexcept {
    for (;;) {
        const iocp::packet packet = iocp::dequeue(port, INFINITE);
        if (packet.overlapped == nullptr) {
            if (packet.ended.error != ERROR_SUCCESS) {
                iocp::report(packet.ended.error, "GetQueuedCompletionStatus");
            }
            return;
        }
        // back: the operation, and what was lent with it
        static_cast<operation*>(packet.overlapped)->complete(packet.ended);
    }
}
// [/work]
