#pragma once

#include <string>

namespace iocp::watch {

/// Finds the file of a program: the path itself or, where there is no such file, with
/// `.exe` behind it.
///
/// \return its full path
///
/// \throws std::runtime_error with one line, when there is none, or when it is not a
/// program for this processor
std::wstring find_program(const std::wstring& path);

} // namespace iocp::watch
