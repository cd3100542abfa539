#pragma once
// ledger.hpp: what the server has done so far.

#include <atomic>
#include <cstdio>

// [ledger]
struct ledger {
    std::atomic<unsigned long long> accepted{0};
    std::atomic<unsigned long long> lost{0}; // clients whose connection failed
    std::atomic<unsigned long long> bytes{0};

    void print(const char* when) const {
        std::printf("%s: %llu accepted, %llu lost, %llu bytes\n", when, accepted.load(),
                    lost.load(), bytes.load());
        std::fflush(stdout);
    }
};
inline ledger books; // of this program
// [/ledger]
