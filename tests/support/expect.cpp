#include "tests/support/expect.hpp"

#include "tests/support/chapter.hpp"
#include "tests/support/csv.hpp"
#include "tests/support/failure.hpp"

#include "expectations_csv.hpp"

#include <map>
#include <vector>

namespace support {

namespace {

expectation parse_cell(std::string_view cell) {
    constexpr std::string_view harmed = "harmed: ";
    if (cell == "served") {
        return {outcome::served, {}};
    }
    if (cell == "waits") {
        return {outcome::waits, {}};
    }
    if (cell.starts_with(harmed)) {
        return {outcome::harmed, std::string(cell.substr(harmed.size()))};
    }
    throw failure("expectations.csv: not served, waits or harmed: \"" + std::string(cell) + "\"");
}

using table = std::map<std::string_view, std::map<int, expectation>>;

// The first line names the columns: `behaviour` and the chapters.
table parse_table() {
    table result;
    std::vector<int> chapters;
    for (const std::vector<std::string_view>& cells : csv_rows(expectations_csv)) {
        if (chapters.empty()) {
            for (std::size_t i = 1; i < cells.size(); ++i) {
                chapters.push_back(std::stoi(std::string(cells[i])));
            }
            continue;
        }
        if (cells.size() != chapters.size() + 1 || result.contains(cells[0])) {
            throw failure("expectations.csv: this line is short, long or given twice: " + std::string(cells[0]));
        }
        for (std::size_t i = 0; i < chapters.size(); ++i) {
            result[cells[0]][chapters[i]] = parse_cell(cells[i + 1]);
        }
    }
    return result;
}

} // namespace

expectation expect(std::string_view behaviour) {
    static const table all = parse_table();
    const auto row = all.find(behaviour);
    if (row == all.end()) {
        throw failure("expectations.csv has no line \"" + std::string(behaviour) + "\"");
    }
    const auto cell = row->second.find(chapter.number);
    if (cell == row->second.end()) {
        throw failure("expectations.csv has no column for chapter " + std::to_string(chapter.number));
    }
    return cell->second;
}

} // namespace support
