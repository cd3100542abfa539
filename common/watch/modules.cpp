#include "common/watch/modules.hpp"

namespace iocp::watch {

std::wstring path_of(HMODULE module) {
    std::wstring path(32'768, L'\0'); // no path is longer
    path.resize(::GetModuleFileNameW(module, path.data(), static_cast<DWORD>(path.size())));
    return path;
}

bool is_the_systems(const std::wstring& path) {
    std::wstring windows(MAX_PATH, L'\0');
    windows.resize(
        ::GetSystemWindowsDirectoryW(windows.data(), static_cast<UINT>(windows.size())));
    windows += L'\\';
    const int length = static_cast<int>(windows.size());
    return path.size() > windows.size() &&
           ::CompareStringOrdinal(path.c_str(), length, windows.c_str(), length, TRUE) ==
               CSTR_EQUAL;
}

std::wstring_view base_name(std::wstring_view path) {
    return path.substr(path.find_last_of(L"\\/") + 1); // npos + 1 is 0
}

std::string utf8(std::wstring_view wide) {
    if (wide.empty()) {
        return {};
    }
    const int length = static_cast<int>(wide.size());
    const int bytes = ::WideCharToMultiByte(CP_UTF8, 0, wide.data(), length, nullptr, 0,
                                            nullptr, nullptr);
    std::string narrow(static_cast<std::size_t>(bytes), '\0');
    ::WideCharToMultiByte(CP_UTF8, 0, wide.data(), length, narrow.data(), bytes, nullptr,
                          nullptr);
    return narrow;
}

} // namespace iocp::watch
