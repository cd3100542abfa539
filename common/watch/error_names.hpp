#pragma once

#include <cstdint>
#include <string>

namespace iocp::watch {

/// \return the name that the headers give an error code, as docs/errors.csv has it; null
/// for one that programs of this kind do not meet
const char* error_name(std::uint32_t code);

/// \return the number and, where there is one, the name
std::string error_words(std::uint32_t code);

} // namespace iocp::watch
