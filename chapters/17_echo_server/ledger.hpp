#pragma once
// Chapter 17: what the server has lent and what it has served.

#include <atomic>
#include <cstdint>

// [ledger]
// Every submit and every packet of our own adds one to `outstanding`; it is taken off when
// the operation is handled, not when its packet is dequeued. So what lies in a batch or in
// a worker's own queue is counted too, and zero means: nobody holds a pointer to anything.
struct ledger {
    std::atomic<std::int64_t> outstanding{0};
    std::atomic<std::int64_t> live{0};
    std::atomic<std::uint64_t> accepted{0};
    std::atomic<std::uint64_t> lost{
        0}; // connections that ended in an error: resets, mostly
    std::atomic<std::uint64_t> parked{0};
    std::atomic<std::uint64_t> bytes{0};
};
// [/ledger]
