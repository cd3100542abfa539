#pragma once
// ledger.hpp: what the server has done so far.

#include <atomic>
#include <cstdint>
#include <cstdio>

// [ledger]
struct ledger {
    std::atomic<std::uint64_t> accepted{0};
    std::atomic<std::uint64_t> lost{0}; // clients whose connection failed
    std::atomic<std::uint64_t> bytes{0};

    void print(const char* when) const {
        std::printf("%s: %llu accepted, %llu lost, %llu bytes\n", when,
                    static_cast<unsigned long long>(accepted),
                    static_cast<unsigned long long>(lost),
                    static_cast<unsigned long long>(bytes));
        std::fflush(stdout);
    }
};
inline ledger books; // of this program
// [/ledger]
