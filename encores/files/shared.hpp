#pragma once
// The encore files, shared.hpp: the folder that is served, and the log.

#include "common/error.hpp"
#include "common/port.hpp"
#include "common/unique.hpp"

#include <winsock2.h>

#include <windows.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

// [file_policy]
// A file's "none" is not the null of other handles.
struct file_policy {
    using type = HANDLE;
    static inline const type none = INVALID_HANDLE_VALUE;
    static void close(type file) noexcept {
        if (!::CloseHandle(file)) {
            iocp::report(::GetLastError(), "CloseHandle");
        }
    }
};
using unique_file = iocp::unique_resource<file_policy>;
// [/file_policy]

// A file has no "next": where an operation begins stands in its OVERLAPPED.
inline void set_offset(OVERLAPPED& operation, std::uint64_t offset) noexcept {
    operation.Offset = static_cast<DWORD>(offset);
    operation.OffsetHigh = static_cast<DWORD>(offset >> 32);
}

// [log]
// Lines that clients have caused. Each is an operation of its own, with an offset of its
// own: so they may be in flight at the same time.
class log_file {
public:
    // No path: no log.
    void open(const std::wstring& path, const iocp::unique_handle& port);
    bool is_open() const noexcept { return static_cast<bool>(file_); }
    HANDLE get() const noexcept { return file_.get(); }
    std::uint64_t take_room(DWORD bytes) noexcept { return end_.fetch_add(bytes); }

private:
    void write_first_line();

    unique_file file_;
    std::atomic<std::uint64_t> end_ = 0; // what is in front of it belongs to some line
};
// [/log]

// [first_line]
// At the start nobody else is there, so this one may be waited for: with an event, and not
// without a limit. The file gets its port afterwards.
inline void log_file::write_first_line() {
    constexpr std::string_view line = "the log begins\n";
    constexpr DWORD patience_ms = 5000;
    const iocp::unique_handle ended{::CreateEventW(nullptr, TRUE, FALSE, nullptr)};
    if (!ended) {
        iocp::fail(::GetLastError(), "CreateEventW");
    }
    OVERLAPPED operation{};
    operation.hEvent = ended.get();
    set_offset(operation, take_room(static_cast<DWORD>(line.size())));
    // lent: operation, line -> kernel until the result is read
    if (::WriteFile(file_.get(), line.data(), static_cast<DWORD>(line.size()), nullptr,
                    &operation)) {
        return; // back: operation, line: it has ended in the call, and no result is to come
    }
    if (::GetLastError() != ERROR_IO_PENDING) {
        iocp::fail(::GetLastError(), "WriteFile");
    }
    DWORD bytes = 0;
    if (!::GetOverlappedResultEx(file_.get(), &operation, &bytes, patience_ms, FALSE)) {
        const DWORD code = ::GetLastError();
        if (code == WAIT_TIMEOUT) { // it is still lent, and lies on this stack
            if (!::CancelIoEx(file_.get(), &operation) &&
                ::GetLastError() != ERROR_NOT_FOUND) { // 1168: it has just ended
                iocp::report(::GetLastError(), "CancelIoEx");
            }
            // Well or not: when this returns the operation has ended.
            ::GetOverlappedResult(file_.get(), &operation, &bytes, TRUE);
            // back: operation, line
        }
        iocp::fail(code, "WriteFile");
    }
    // back: operation, line
}
// [/first_line]

inline void log_file::open(const std::wstring& path, const iocp::unique_handle& port) {
    if (path.empty()) {
        return;
    }
    file_ = unique_file{::CreateFileW(path.c_str(), GENERIC_WRITE, FILE_SHARE_READ, nullptr,
                                      CREATE_ALWAYS, FILE_FLAG_OVERLAPPED, nullptr)};
    if (!file_) {
        iocp::fail(::GetLastError(), "CreateFileW");
    }
    write_first_line();
    iocp::associate(reinterpret_cast<SOCKET>(file_.get()), port);
}

// [folder]
// The folder, and how a name becomes a path in it. With \\?\ in front the system takes what
// follows as it stands: no `..`, no NUL or COM1, no full stop that is dropped at the end.
class folder {
public:
    explicit folder(const std::wstring& path);

    // Puts the path into `to`, which has room. False for a name that is none.
    bool find(std::string_view name, std::wstring& to) const noexcept;
    std::size_t longest_path() const noexcept { return path_.size() + longest_name; }

    static constexpr std::size_t longest_name = 255;

private:
    std::wstring path_; // with a backslash at its end
};
// [/folder]

inline folder::folder(const std::wstring& path) {
    std::wstring full(32'768, L'\0');
    const DWORD length = ::GetFullPathNameW(path.c_str(), static_cast<DWORD>(full.size()),
                                            full.data(), nullptr);
    if (length == 0 || length >= full.size()) {
        iocp::fail(::GetLastError(), "GetFullPathNameW");
    }
    full.resize(length);
    const DWORD attributes = ::GetFileAttributesW(full.c_str());
    if (attributes == INVALID_FILE_ATTRIBUTES) {
        iocp::fail(::GetLastError(), "GetFileAttributesW");
    }
    if ((attributes & FILE_ATTRIBUTE_DIRECTORY) == 0) {
        iocp::fail(ERROR_DIRECTORY, "GetFileAttributesW");
    }
    path_ = L"\\\\?\\" + full + (full.back() == L'\\' ? L"" : L"\\");
}

// [find]
inline bool folder::find(std::string_view name, std::wstring& to) const noexcept {
    wchar_t wide[longest_name];
    const int length =
        ::MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, name.data(),
                              static_cast<int>(name.size()), wide, longest_name);
    if (length <= 0 || name == "." || name == "..") {
        return false;
    }
    for (int i = 0; i < length; ++i) {
        if (wide[i] < L' ' ||
            std::wstring_view{L"/\\:*?\"<>|"}.find(wide[i]) != std::wstring_view::npos) {
            return false; // a separator leads elsewhere, a colon to another stream
        }
    }
    to.assign(path_).append(wide, static_cast<std::size_t>(length));
    return true;
}
// [/find]
