#include "tests/support/csv.hpp"

#include <algorithm>

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

} // namespace

std::vector<std::string_view> csv_cells(std::string_view line) {
    std::vector<std::string_view> cells;
    while (!line.empty()) {
        cells.push_back(take_until(line, ','));
    }
    return cells;
}

std::vector<std::vector<std::string_view>> csv_rows(std::string_view table) {
    std::vector<std::vector<std::string_view>> rows;
    while (!table.empty()) {
        const std::string_view line = take_until(table, '\n');
        if (!line.empty() && line.front() != '#') {
            rows.push_back(csv_cells(line));
        }
    }
    return rows;
}

} // namespace support
