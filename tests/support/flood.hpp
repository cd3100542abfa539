#pragma once

#include "tests/support/endpoint.hpp"

#include <atomic>
#include <cstddef>
#include <thread>

namespace support {

/// Clients that keep a server busy: from a thread of its own each sends and reads as fast as it can, until this object
/// goes. What they get back is not compared here.
class flood {
public:
    /// Returns when all of them are connected and have had a first echo.
    flood(const endpoint& where, std::size_t clients);
    ~flood();

    flood(const flood&) = delete;
    flood& operator=(const flood&) = delete;

    /// Waits until so many bytes more have come back. A failure when they do not.
    void wait_until_more(std::size_t bytes) const;

private:
    std::atomic<bool> stop_ = false;
    std::atomic<std::size_t> came_ = 0;
    std::thread thread_;
};

} // namespace support
