#pragma once

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

namespace support {

/// A word of tests/has.csv.
struct feature {
    std::string_view word;
    std::string_view meaning;
};

/// All rows of tests/has.csv.
const std::vector<feature>& all_features();

/// A reader's own server needs only `--port 0` and the first line; what else it has is declared with `--has`. A
/// chapter's own program has it all. \param word of tests/has.csv
bool has(std::string_view word);

/// What a case asks of a server beyond a port: `TEST_CASE("..." * needs("ctrl-c,grace"))`. When a reader's own server
/// has not been declared to have it, the case is skipped and counted as that. After doctest::skip, if that is there,
/// too.
struct needs {
    explicit needs(const char* of_the_table) : words{of_the_table} {}

    const char* words; ///< of tests/has.csv, with commas between them

    void fill(doctest::detail::TestCase& state) const; ///< what doctest calls
};

/// A case that was not run because of what it needs.
struct undeclared_case {
    std::string name;
    std::vector<std::string> words; ///< those that are not declared
};

/// The cases of this chapter that are not run, in the order of their names.
std::vector<undeclared_case> undeclared_cases();

} // namespace support
