#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace iocp::watch {

/// What the environment variable IOCP_WATCH says: words with `|` between them. Without the
/// variable the watch narrates.
struct settings {
    bool strict = false;     ///< an exact finding makes the exit status 3
    bool quiet = false;      ///< no narration; findings are written all the same
    bool colour = false;     ///< the launcher has found a terminal
    bool hash_sends = false; ///< look whether send buffers change while they are lent
    std::vector<std::uint32_t> only; ///< sockets to narrate; empty: all
    std::wstring trace;              ///< path of the JSON lines; empty: none
    void* tell = nullptr; ///< the launcher's mapping of a `told`, inherited; null: none

    /// Reads the variable and takes it out of the environment, so that programs which this
    /// one starts do not see it. Words that it does not know are left out of account.
    static settings from_environment();
};

} // namespace iocp::watch
