#pragma once

#include "common/watch/check.hpp"
#include "common/watch/symbols.hpp"

#include <string>
#include <vector>

namespace iocp::watch {

/// How sure a check is, in a word.
const char* words(certainty sure);

/// Appends a finding's first line for people. It begins with `watch: ` and the check's id
/// in brackets.
void report(std::string& to, const finding& found, bool colour);

/// Appends its other lines: where the rule was broken, and where the operation was
/// submitted.
void report_places(std::string& to, const std::vector<frame>& here,
                   const std::vector<frame>& submitted);

} // namespace iocp::watch
