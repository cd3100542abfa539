#pragma once
/// \file
/// What the tests of the checks read from the sources: the table of checks, and the lines that are marked in a program.

#include <string>
#include <vector>

namespace watch_tests {

/// A row of checks.csv.
struct check_row {
    std::string id;
    std::string level; ///< exact, heuristic, info
    std::string program;
    bool linked_only = false;
    bool seen_under_wine = false;
};

/// All rows of checks.csv.
std::vector<check_row> all_checks();

/// The row of one check.
/// \throws support::failure when there is none
check_row check_of(const std::string& id);

/// The checks that the watch itself declares, in its order; of each only the id and the level.
std::vector<check_row> declared_checks();

/// A statement that is marked in a program.
struct marked_place {
    std::string function; ///< that it stands in
    int first_line = 0;
    int last_line = 0;
};

/// The statements after the comments `// here` or `// submitted`, as far as they concern one way to run the program:
/// those of its region (`wrong_free` for the arguments `wrong free`), or, where that has none, those outside of all
/// such regions.
std::vector<marked_place> marked_places(const std::string& program, const std::string& arguments,
                                        const std::string& marker);

} // namespace watch_tests
