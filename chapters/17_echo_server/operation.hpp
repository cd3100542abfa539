#pragma once
// The engine, operation.hpp: what is in flight, and what is to be done when it is back.

#include "common/operation.hpp"

#include <winsock2.h>

#include <atomic>
#include <cstdint>
#include <type_traits>

using iocp::result;

// [operation]
// An OVERLAPPED that knows what its end means. Lent from the submit until its packet is
// dequeued; after an immediate failure, or a success in skip mode, it is back at once.
class operation : public OVERLAPPED {
public:
    operation() noexcept : OVERLAPPED{} {}
    operation(const operation&) = delete;
    operation& operator=(const operation&) = delete;

    // [count]
    // Before each submit, and when it is back. So all that is lent is counted, and a server
    // that ends can prove that nothing is.
    void lend() noexcept {
        static_cast<OVERLAPPED&>(*this) = {};
        ++in_flight_;
    }
    void take_back() noexcept { --in_flight_; }
    static std::int64_t in_flight() noexcept { return in_flight_; }
    // [/count]

    // Called once for each packet, by the worker that has dequeued it; and once for what
    // has ended without a packet.
    virtual void complete(result ended) noexcept = 0;

    // [ended]
    // While it waits at a worker, having ended at once: how it ended, and the next one.
    result ended;
    operation* next = nullptr;
    // [/ended]

protected:
    ~operation() = default; // nobody deletes through a pointer to this base

private:
    static inline std::atomic<std::int64_t> in_flight_{0}; // of all kinds, in this program
};
static_assert(std::is_base_of_v<OVERLAPPED, operation>,
              "static_cast leads from the packet back to the operation");
// [/operation]
