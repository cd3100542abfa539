#pragma once

#include <cstdint>
#include <string>

namespace iocp::watch {

/// One function that an address is in. There may be several, because a compiler puts small
/// functions into those that call them.
struct level {
    std::string function{}; ///< as people call it; empty where nothing names it
    std::string path{};     ///< of the source; where there is no line, of the declaration
    std::uint32_t line = 0; ///< 0: not known for sure
};

} // namespace iocp::watch
