#pragma once
// settings.hpp: what the command line decides.

// [settings]
constexpr unsigned most_in_batch = 64;

struct settings {
    unsigned workers = 1;
    unsigned accepts = 16;          // that wait for clients
    unsigned idle_s = 0;            // without a byte; 0: a silent client may stay for ever
    unsigned grace_s = 5;           // that clients have to finish after Ctrl+C
    unsigned batch = most_in_batch; // packets that one call takes from the port
    bool no_defer = false;          // receive again at once after an echo
    bool zero_byte = false;         // wait for data without any buffer
};
// [/settings]
