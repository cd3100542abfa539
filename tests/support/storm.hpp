#pragma once

#include "tests/support/endpoint.hpp"

#include <atomic>
#include <cstddef>
#include <string>
#include <thread>

namespace support {

/// Every kind of client that a server must live with, all at once and from a thread of its own, until this object goes:
/// silent ones, ones that send and never read or read slowly, ones that send one byte at a time, ones that half-close
/// and read slowly, ones that reset in the middle, ones that connect and leave or reset at once.
class storm {
public:
    explicit storm(const endpoint& where);
    ~storm();

    storm(const storm&) = delete;
    storm& operator=(const storm&) = delete;

    /// How often the clients that come and go have done so.
    std::size_t rounds() const { return rounds_; }

    /// Waits until they have done so as often as that. A failure when they do not, or when the server has ended the
    /// connection of one that has not earned it.
    void wait_for_rounds(std::size_t count) const;

private:
    void rage(const endpoint& where);

    std::atomic<bool> stop_ = false;
    std::atomic<bool> broken_ = false; // after this was written: why_
    std::atomic<std::size_t> rounds_ = 0;
    std::string why_;
    std::thread thread_;
};

} // namespace support
