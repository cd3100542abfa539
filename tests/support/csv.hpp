#pragma once

#include <string_view>
#include <vector>

namespace support {

/// The cells of one line, without the spaces around them.
std::vector<std::string_view> csv_cells(std::string_view line);

/// The lines of a table that are neither empty nor begin with `#`, which explains. The first one has the titles.
std::vector<std::vector<std::string_view>> csv_rows(std::string_view table);

} // namespace support
