#pragma once

#include <string>
#include <string_view>

namespace iocp::watch {

/// The same text in UTF-8, which is what this project's programs write.
std::string utf8(std::wstring_view text);

/// The path that does not depend on the current folder.
/// \throws call_error
std::wstring full_path(const std::wstring& path);

} // namespace iocp::watch
