#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace support {

/// What the command line of a test program said, beside what doctest takes from it: `NN_name_tests [doctest options]
/// [--watched] [--program PATH [--has LIST]] [-- ARGUMENTS OF THE SERVER]`.
struct options {
    std::filesystem::path program;             ///< the server that is tested
    std::filesystem::path ctrl_c;              ///< the helper ctrl_c.exe, always beside the test program
    std::vector<std::wstring> extra_arguments; ///< given to every server that is started
    std::vector<std::string> has;              ///< words of tests/has.csv: what a reader's own server has
    bool own_program = false;                  ///< `--program` was given: a reader's own server is tested
    bool watched = false;                 ///< the server that has the watch in it is tested, and the watch is strict
    std::vector<std::string> for_doctest; ///< the words that are left
    std::string mistake;                  ///< what is wrong with the command line; empty when nothing is
};

/// Read from the command line at the first call, which may come before main(): doctest registers the cases then.
const options& the_options();

/// For cases that do not say yet `* needs("...")`, see needs.hpp.
inline bool needs_more_than_a_port(const char*) {
    return the_options().own_program;
}

} // namespace support
