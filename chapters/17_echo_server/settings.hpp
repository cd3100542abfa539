#pragma once
// settings.hpp: what the command line decides. Every trick of chapters 13 to 16 is on, and
// can be taken away.

// [settings]
constexpr unsigned most_in_batch = 64;

struct settings {
    unsigned workers = 1;
    unsigned accepts = 64;             // that wait for clients
    unsigned max_connections = 65'536; // past that clients wait in the backlog
    unsigned idle_s = 0;       // without a byte; 0: a silent client may stay for ever
    unsigned keep_alive_s = 0; // of silence; then the system asks if the client is there
    unsigned grace_s = 5;      // that clients have to finish after Ctrl+C
    unsigned stats_s = 0;      // between two lines of statistics; 0: none
    unsigned batch = most_in_batch; // packets that one call takes from the port
    bool dual_stack = false;        // an IPv6 listener that takes IPv4 clients, too
    bool no_skip = false;           // a packet for everything
    bool no_defer = false;          // receive again at once after an echo
    bool no_small = false;          // large blocks also for silent clients
    bool zero_byte = false;         // wait for data without any buffer
};
// [/settings]
