#pragma once

#include <winsock2.h>

#include <windows.h>

#include <string>
#include <string_view>

namespace iocp::watch {

/// The file that a module was loaded from; null is the program itself.
std::wstring path_of(HMODULE module);

/// Whether a file belongs to Windows: it is somewhere in the Windows folder.
bool is_the_systems(const std::wstring& path);

/// What comes after the last slash.
std::wstring_view base_name(std::wstring_view path);

/// The same text as UTF-8.
std::string utf8(std::wstring_view wide);

} // namespace iocp::watch
