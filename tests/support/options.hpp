#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace support {

/// What the command line of a test program said, beside what doctest takes from it:
/// `NN_name_tests [doctest options] [--watched] [--program PATH] [-- ARGUMENTS OF THE SERVER]`.
struct options {
    std::filesystem::path program;             ///< the server that is tested
    std::filesystem::path ctrl_c;              ///< the helper ctrl_c.exe, always beside the test program
    std::vector<std::wstring> extra_arguments; ///< given to every server that is started
    bool own_program = false;                  ///< `--program` was given: a reader's own server is tested
    bool watched = false; ///< the server that has the watch in it is tested, and the watch is strict
};

/// Set once by main().
options& the_options();

/// A reader's own server needs only `--port 0` and the first line. A case that needs more begins with
/// `if (support::needs_more_than_a_port("--help")) { return; }`: it then says that it is skipped, by name.
/// \return true when a reader's own server is tested, so that the case has to end
bool needs_more_than_a_port(std::string_view what);

} // namespace support
