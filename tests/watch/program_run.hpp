#pragma once
/// \file
/// A run of one of the programs in programs/ under the watch, and what the watch said of it.

#include <winsock2.h>

#include <windows.h>

#include <string>
#include <vector>

namespace watch_tests {

/// What the watch has said of one place.
struct said {
    std::string id;
    std::string level;
    std::vector<std::string> here; ///< frames: `start_read at main.cpp:41`
    std::vector<std::string> submitted;
};

/// What a program left behind.
struct outcome {
    DWORD status = 0;
    std::string output;
    std::string error;
    std::vector<said> findings;
};

/// How the watch comes to a program.
enum class way { linked, launched };

/// Runs a program, quiet and strict, until it ends.
/// \param program as in programs.csv
/// \param arguments with spaces between them
/// \param hash_sends whether the watch looks after what is sent
/// \throws support::failure when it does not end
outcome run(way how, const std::string& program, const std::string& arguments, bool hash_sends = false);

} // namespace watch_tests
