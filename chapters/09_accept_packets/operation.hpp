#pragma once
// The engine, operation.hpp: what is in flight, and what is to be done when it is back.

#include "common/operation.hpp"

#include <winsock2.h>

#include <type_traits>

using iocp::result;

// [operation]
// An OVERLAPPED that knows what its end means. Lent from the submit until its packet is
// dequeued; after an immediate failure it is back at once.
class operation : public OVERLAPPED {
public:
    operation() noexcept : OVERLAPPED{} {}
    operation(const operation&) = delete;
    operation& operator=(const operation&) = delete;

    void clear() noexcept { static_cast<OVERLAPPED&>(*this) = {}; } // before each submit

    // Called once for each packet, by the worker that has dequeued it.
    virtual void complete(result ended) noexcept = 0;

protected:
    ~operation() = default; // nobody deletes through a pointer to this base
};
static_assert(std::is_base_of_v<OVERLAPPED, operation>,
              "static_cast leads from the packet back to the operation");
// [/operation]
