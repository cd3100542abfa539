#pragma once

#include <stdexcept>
#include <string>

namespace iocp::watch {

/// When the narration is coloured.
enum class colour_when {
    automatic, ///< when standard error is a console
    always,
    never
};

/// What `watch` was asked to do.
struct options {
    bool help = false; ///< only that: nothing else counts
    bool strict = false;
    bool quiet = false;
    bool hash_sends = false;
    bool linked = false; ///< the program has the watch in itself
    colour_when colour = colour_when::automatic;
    std::wstring only;      ///< numbers with commas between them; empty: every socket
    std::wstring trace;     ///< the full path of a file; empty: none
    std::wstring program;   ///< as it was written
    std::wstring arguments; ///< all that stood behind the program, character for character
};

/// The command line is wrong. what() is one line about it.
class usage_error : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// What `--help` prints.
extern const char* const help_text;

/// Reads `watch [options] PROGRAM [ARGS...]`; options end at PROGRAM.
/// \param command_line what GetCommandLineW returns
/// \throws usage_error
options read_options(const wchar_t* command_line);

} // namespace iocp::watch
