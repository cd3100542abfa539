#pragma once
// Chapter 17: what the command line decides. Every trick of chapter 13 is on, and can be
// taken away.

#include <chrono>

// [settings]
struct settings {
    unsigned workers = 1;             // main() asks for the number of processors
    unsigned accepts = 16;            // accepts that wait for clients
    unsigned max_connections = 10000; // past that clients wait in the backlog
    unsigned idle_timeout_s = 0;      // 0: a silent client may stay for ever
    unsigned grace_s = 5;             // what busy clients have after Ctrl+C
    unsigned stats_s = 0;             // 0: none
    bool dual_stack = false;          // an IPv6 listener that takes IPv4 clients, too
    bool port_per_worker = false; // no sharing of packets among workers; pays under Wine
    bool no_batch = false;
    bool no_skip = false;
    bool no_parking = false;
};
// [/settings]

using clock_type = std::chrono::steady_clock;

constexpr std::chrono::seconds idle_tick{
    1}; // how often connections are looked at, and accepts tried again
constexpr std::chrono::milliseconds stopping_tick{50}; // the same after Ctrl+C
constexpr std::chrono::milliseconds quiet{
    100}; // after Ctrl+C: no progress for so long ends a conversation
constexpr std::chrono::seconds park_after{
    3}; // no progress for so long: the buffers are given back
