#include "tests/support/needs.hpp"

#include "tests/support/csv.hpp"
#include "tests/support/failure.hpp"
#include "tests/support/options.hpp"

#include "has_csv.hpp"

#include <algorithm>

namespace support {

namespace {

std::vector<undeclared_case>& undeclared() {
    static std::vector<undeclared_case> all;
    return all;
}

std::vector<feature> parse_features() {
    std::vector<feature> all;
    for (const std::vector<std::string_view>& cells : csv_rows(has_csv)) {
        if (cells.size() != 2) {
            throw failure("has.csv: not a word and what it means: " + std::string(cells.front()));
        }
        all.push_back({cells[0], cells[1]});
    }
    all.erase(all.begin()); // the titles
    return all;
}

} // namespace

const std::vector<feature>& all_features() {
    static const std::vector<feature> all = parse_features();
    return all;
}

bool has(std::string_view word) {
    if (std::ranges::find(all_features(), word, &feature::word) == all_features().end()) {
        throw failure("tests/has.csv has no word \"" + std::string(word) + "\"");
    }
    const options& given = the_options();
    return !given.own_program || std::ranges::find(given.has, word) != given.has.end();
}

void needs::fill(doctest::detail::TestCase& state) const {
    undeclared_case this_one{state.m_name, {}};
    for (const std::string_view word : csv_cells(words)) {
        if (!has(word)) {
            this_one.words.emplace_back(word);
        }
    }
    if (this_one.words.empty()) {
        return;
    }
    const bool long_one = state.m_test_suite != nullptr && std::string_view(state.m_test_suite) == "long";
    if (!state.m_skip && !long_one) {
        undeclared().push_back(this_one);
    }
    state.m_skip = true;
}

std::vector<undeclared_case> undeclared_cases() {
    std::vector<undeclared_case> all = undeclared();
    std::ranges::sort(all, {}, &undeclared_case::name);
    return all;
}

} // namespace support
