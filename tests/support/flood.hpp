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

private:
    std::atomic<bool> stop_ = false;
    std::thread thread_;
};

} // namespace support
