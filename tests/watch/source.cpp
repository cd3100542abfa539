#include "source.hpp"

#include "tests/support/failure.hpp"

#include <fstream>
#include <regex>
#include <sstream>

namespace watch_tests {

namespace {

std::vector<std::string> lines_of(const std::string& path) {
    std::ifstream file(std::string(SOURCE_FOLDER) + "/" + path);
    if (!file) {
        throw support::failure("cannot be read: " + path);
    }
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) {
        if (!line.empty() && line.back() == '\r') {
            line.pop_back();
        }
        lines.push_back(line);
    }
    return lines;
}

bool is_comment(const std::string& line) {
    const std::size_t first = line.find_first_not_of(' ');
    return first != std::string::npos && line.compare(first, 2, "//") == 0;
}

bool is_marker(const std::string& line, const std::string& marker) {
    static const std::regex comment(" *// ([a-z]+)(:.*)?");
    std::smatch parts;
    return std::regex_match(line, parts, comment) && parts[1] == marker;
}

// The name before the first parenthesis of the last line above that begins in the first column: a definition.
std::string function_around(const std::vector<std::string>& lines, std::size_t index) {
    static const std::regex definition("[a-zA-Z].*?(\\w+)\\(.*");
    std::smatch parts;
    while (index > 0) {
        if (std::regex_match(lines[--index], parts, definition)) {
            return parts[1];
        }
    }
    return {};
}

marked_place statement_after(const std::vector<std::string>& lines, std::size_t marker) {
    std::size_t first = marker;
    while (first + 1 < lines.size() && is_comment(lines[first])) {
        ++first;
    }
    std::size_t last = first;
    while (last + 1 < lines.size() && lines[last].find_last_of(";{") != lines[last].size() - 1) {
        ++last;
    }
    return {function_around(lines, marker), static_cast<int>(first) + 1, static_cast<int>(last) + 1};
}

} // namespace

std::vector<check_row> all_checks() {
    std::vector<check_row> rows;
    const std::vector<std::string> lines = lines_of("tests/watch/checks.csv");
    for (std::size_t i = 1; i < lines.size(); ++i) {
        std::istringstream cells(lines[i]);
        check_row row;
        std::string linked_only;
        std::string seen;
        std::getline(cells, row.id, ',');
        std::getline(cells, row.level, ',');
        std::getline(cells, row.program, ',');
        std::getline(cells, linked_only, ',');
        std::getline(cells, seen, ',');
        row.linked_only = linked_only == "yes";
        row.seen_under_wine = seen == "yes";
        rows.push_back(row);
    }
    return rows;
}

check_row check_of(const std::string& id) {
    for (const check_row& row : all_checks()) {
        if (row.id == id) {
            return row;
        }
    }
    throw support::failure("not in checks.csv: " + id);
}

std::vector<check_row> declared_checks() {
    static const std::regex declaration(R"re(inline constexpr check (\w+)\{"([a-z-]+)",\s+certainty::(\w+)\};)re");
    std::string text;
    for (const std::string& line : lines_of("common/watch/check.hpp")) {
        text += line + "\n"; // a declaration may be longer than a line
    }
    std::vector<check_row> rows;
    for (std::sregex_iterator found(text.begin(), text.end(), declaration), end; found != end; ++found) {
        rows.push_back({.id = (*found)[2], .level = (*found)[3], .program = (*found)[1]});
    }
    return rows;
}

std::vector<marked_place> marked_places(const std::string& program, const std::string& arguments,
                                        const std::string& marker) {
    static const std::regex region(" *// \\[(/?)((wrong|right)[a-z0-9_]*)\\]");
    const std::string own = std::regex_replace(arguments, std::regex(" "), "_");
    const std::vector<std::string> lines = lines_of("tests/watch/programs/" + program + ".cpp");
    std::vector<marked_place> inside;
    std::vector<marked_place> outside;
    std::string open;
    for (std::size_t i = 0; i < lines.size(); ++i) {
        std::smatch parts;
        if (std::regex_match(lines[i], parts, region)) {
            open = parts[1].length() == 0 ? std::string(parts[2]) : std::string();
        } else if (is_marker(lines[i], marker) && (open.empty() || open == own)) {
            (open.empty() ? outside : inside).push_back(statement_after(lines, i));
        }
    }
    return inside.empty() ? outside : inside;
}

} // namespace watch_tests
