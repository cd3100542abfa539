#include "common/watch/launcher/paths.hpp"

#include "common/error.hpp"

#include <winsock2.h>

#include <windows.h>

namespace iocp::watch {

std::string utf8(std::wstring_view text) {
    const int units = static_cast<int>(text.size());
    std::string narrow(3 * text.size(), '\0'); // a UTF-16 unit takes three bytes at most
    const int bytes =
        ::WideCharToMultiByte(CP_UTF8, 0, text.data(), units, narrow.data(),
                              static_cast<int>(narrow.size()), nullptr, nullptr);
    narrow.resize(static_cast<std::size_t>(bytes));
    return narrow;
}

std::wstring full_path(const std::wstring& path) {
    std::wstring full(32'768, L'\0');
    const DWORD length = ::GetFullPathNameW(path.c_str(), static_cast<DWORD>(full.size()),
                                            full.data(), nullptr);
    if (length == 0 || length >= full.size()) {
        fail(::GetLastError(), "GetFullPathNameW", utf8(path));
    }
    full.resize(length);
    return full;
}

} // namespace iocp::watch
