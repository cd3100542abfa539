#pragma once

#include <cstddef>
#include <string_view>

namespace support {

/// The number of all encores: they come after the chapters.
inline constexpr int encore = 100;

/// Which chapter or encore a test program is about. Each tests/chapters/NN_name.cpp and each program of tests/encores/
/// defines the one `chapter`.
struct chapter_info {
    int number;
    std::string_view name;            ///< `01_blocking_sockets` or `chat`: the program beside the test program
    bool handles_ctrl_c = true;       ///< false for 01, which the system ends
    bool lets_idle_go = false;        ///< true from 11 on: `--idle-timeout`
    bool finishes_echoes = false;     ///< true from 12 on: Ctrl+C waits up to `--grace` seconds for clients
    bool repairs_the_listing = false; ///< true for 08, 09, 10 and 17: the cases of listing_defects.cpp run
    bool engine = false;              ///< true from 09 to 12: the cases of engine_faults.cpp run
    std::size_t client_limit = 0;     ///< 62 for 04, 05 and 06: the cases of handle_limit.cpp run
};

/// Initialised before any code runs (constinit), because doctest reads it while it registers the cases.
extern const chapter_info chapter;

} // namespace support
