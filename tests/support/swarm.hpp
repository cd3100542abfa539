#pragma once

#include "tests/support/deadline.hpp"
#include "tests/support/endpoint.hpp"

#include <cstddef>

namespace support {

/// Connects `clients` clients, and when all are connected lets all of them send `bytes_each` bytes of their own pattern
/// and read the echo at the same time, from this one thread. Each byte is compared when it comes. Each client then
/// half-closes and waits for the end of its stream.
///
/// Throws a failure at the first wrong byte, the first lost connection, or when time is up.
void echo_at_once(const endpoint& where, std::size_t clients, std::size_t bytes_each,
                  std::chrono::milliseconds limit = patience);

} // namespace support
