#pragma once

#include <cstdint>
#include <string>

namespace iocp::watch {

/// 1204 as `1,204`, for people.
std::string with_commas(std::uint64_t number);

/// 255 as `0xff`, for addresses.
std::string hexadecimal(std::uint64_t number);

} // namespace iocp::watch
