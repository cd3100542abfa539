#pragma once

#include "common/watch/check.hpp"
#include "common/watch/symbols.hpp"

#include <string>
#include <vector>

namespace iocp::watch {

/// How sure a check is, in a word.
const char* words(certainty sure);

/// Appends a finding's lines for people. The first begins with `watch: ` and the check's id in brackets.
void report(std::string& to, const finding& found, const std::vector<frame>& here, const std::vector<frame>& submitted,
            bool colour);

} // namespace iocp::watch
