#pragma once
// What a run has found, as a line of JSON or as a table.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

struct report {
    std::string mode;
    std::size_t clients = 0;
    std::size_t served = 0; // clients that the server answered at all before the clock ran
    std::size_t size = 0;
    double seconds = 0;                              // for which the clock ran
    std::uint64_t done = 0;                          // echoes, or visits, while it ran
    std::vector<std::chrono::nanoseconds> durations; // of each, also of those that were under way when it stopped
    std::size_t unanswered = 0;                      // clients that got nothing while the clock ran
    bool slow = false;                               // some were given up though the server still answered now and then
    std::size_t errors = 0;
    std::string first_error;

    void add_error(const std::string& text);
};

// Sorts the durations. Microseconds.
void print_json(report& result);
void print_table(report& result);
