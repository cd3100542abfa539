#include "tests/support/expect.hpp"

#include "tests/support/chapter.hpp"
#include "tests/support/failure.hpp"

#include "expectations_csv.hpp"

#include <algorithm>
#include <map>
#include <vector>

namespace support {

namespace {

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \r\t");
    return first == std::string_view::npos ? std::string_view()
                                           : text.substr(first, text.find_last_not_of(" \r\t") - first + 1);
}

// Cuts off and returns what is before the separator.
std::string_view take_until(std::string_view& rest, char separator) {
    const auto end = std::min(rest.find(separator), rest.size());
    const std::string_view taken = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return trimmed(taken);
}

std::vector<std::string_view> cells_of(std::string_view line) {
    std::vector<std::string_view> cells;
    while (!line.empty()) {
        cells.push_back(take_until(line, ','));
    }
    return cells;
}

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

// Lines that begin with # explain. The first other line names the columns: `behaviour` and the chapters.
table parse_table() {
    table result;
    std::vector<int> chapters;
    std::string_view rest = expectations_csv;
    while (!rest.empty()) {
        const std::string_view line = take_until(rest, '\n');
        if (line.empty() || line.front() == '#') {
            continue;
        }
        const std::vector<std::string_view> cells = cells_of(line);
        if (chapters.empty()) {
            for (std::size_t i = 1; i < cells.size(); ++i) {
                chapters.push_back(std::stoi(std::string(cells[i])));
            }
            continue;
        }
        if (cells.size() != chapters.size() + 1 || result.contains(cells[0])) {
            throw failure("expectations.csv: this line is short, long or given twice: " + std::string(line));
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
