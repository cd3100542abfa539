#pragma once
// Encore client, tally.hpp: what was measured. Nothing here allocates.

#include <winsock2.h>

#include <windows.h>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstdint>

using clock_type = std::chrono::steady_clock;

// How often each latency was seen, in microseconds, to within a thirtieth of its value.
class latencies {
public:
    void add(clock_type::duration took) noexcept {
        const auto us = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
        const auto value =
            static_cast<std::uint32_t>(std::clamp<long long>(us, 0, (1LL << 32) - 1));
        const unsigned width = static_cast<unsigned>(std::bit_width(value));
        const unsigned shift = width > 6 ? width - 6 : 0;
        ++seen_[shift * 32 + (value >> shift)];
        ++all_;
    }
    // So many milliseconds, or fewer, has this share of all echoes taken.
    double within(double share) const noexcept {
        const double wanted = share * static_cast<double>(all_);
        double so_far = 0;
        for (unsigned i = 0; i < seen_.size(); ++i) {
            so_far += static_cast<double>(seen_[i]);
            if (so_far >= wanted && seen_[i] != 0) {
                const unsigned shift = i < 64 ? 0 : i / 32 - 1;
                return static_cast<double>(std::uint64_t{i - shift * 32} << shift) / 1000.0;
            }
        }
        return 0;
    }

private:
    std::array<std::uint64_t, 27 * 32 + 32> seen_{};
    std::uint64_t all_ = 0;
};

struct tally {
    // \return whether it is the first one with this code
    bool failed(DWORD code) noexcept {
        for (failure& each : failures) {
            if (each.count == 0 || each.code == code) {
                each.code = code;
                return ++each.count == 1;
            }
        }
        ++failures.back().count; // more codes than there is room for
        return false;
    }

    struct failure {
        DWORD code = 0;
        unsigned count = 0;
    };
    std::array<failure, 16> failures{};
    unsigned connected = 0;
    unsigned reused = 0;      // of these, on a socket that had been connected before
    unsigned replaced = 0;    // sockets that could not be connected a second time
    unsigned retries = 0;     // tries to connect that failed and were made again
    unsigned given_up = 0;    // connections that could not be had before their deadline
    unsigned ended_early = 0; // the server closed while it owed us bytes
    unsigned wrong = 0;       // connections that got a wrong byte
    std::uint64_t echoes = 0;
    latencies took;
    clock_type::time_point first_connected{};
};
