#pragma once

#include <string>
#include <string_view>

namespace support {

/// The page that explains a case, as in an address of the site: `lifetimes#a-failed-accept-costs-one-client`. From
/// tests/explained.csv; for a case that has no row there it is the page of the chapter.
std::string page_of(std::string_view test_case);

/// After a run against a reader's own server: what to do about checks that failed, and which were not run and how to
/// declare what they need.
void print_after_own_program();

} // namespace support
