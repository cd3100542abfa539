#pragma once

#include <string>
#include <string_view>

namespace iocp::watch {

/// What a terminal is told before a text (ECMA-48, "Select Graphic Rendition").
namespace colours {

inline constexpr char lent[] = "\x1b[33m";            // yellow
inline constexpr char back[] = "\x1b[32m";            // green
inline constexpr char failed[] = "\x1b[31m";          // red
inline constexpr char wrong[] = "\x1b[1;31m";         // bold red
inline constexpr char perhaps_wrong[] = "\x1b[1;35m"; // bold magenta
inline constexpr char quiet[] = "\x1b[2m";            // faint

} // namespace colours

/// Appends a text, in a colour unless that is null.
inline void paint(std::string& to, std::string_view text, const char* colour) {
    if (colour == nullptr || text.empty()) {
        to.append(text);
    } else {
        to.append(colour).append(text).append("\x1b[0m");
    }
}

} // namespace iocp::watch
