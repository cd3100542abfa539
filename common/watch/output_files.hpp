#pragma once
/// \file
/// Where the watch writes to.

#include <winsock2.h>

#include <windows.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace iocp::watch {

/// A file that is written from its begin to its end. Not inherited, and others may read it
/// meanwhile.
class output_file {
public:
    output_file() = default;
    ~output_file() { close(); }
    output_file(const output_file&) = delete;
    output_file& operator=(const output_file&) = delete;

    /// \return the system's error code; 0: it is open
    DWORD open(const std::wstring& path) {
        handle_ = ::CreateFileW(path.c_str(), GENERIC_WRITE, FILE_SHARE_READ, nullptr,
                                CREATE_ALWAYS, FILE_ATTRIBUTE_NORMAL, nullptr);
        return is_open() ? 0 : ::GetLastError();
    }
    bool is_open() const { return handle_ != INVALID_HANDLE_VALUE; }
    void close() {
        if (is_open()) {
            ::CloseHandle(std::exchange(handle_, INVALID_HANDLE_VALUE));
        }
    }
    void write(std::string_view text) {
        DWORD written = 0;
        if (is_open() && !text.empty()) {
            ::WriteFile(handle_, text.data(), static_cast<DWORD>(text.size()), &written,
                        nullptr);
        }
    }
    /// The next write overwrites the last so many bytes.
    void step_back(std::size_t bytes) {
        LARGE_INTEGER distance{};
        distance.QuadPart = -static_cast<LONGLONG>(bytes);
        if (is_open()) {
            ::SetFilePointerEx(handle_, distance, nullptr, FILE_CURRENT);
        }
    }

private:
    HANDLE handle_ = INVALID_HANDLE_VALUE;
};

/// Standard error as it was at the start. Escapes are understood by a console only when it
/// is told to, until the end.
class standard_error {
public:
    explicit standard_error(bool colour) : handle_(::GetStdHandle(STD_ERROR_HANDLE)) {
        if (colour && ::GetConsoleMode(handle_, &mode_)) {
            is_changed_ = ::SetConsoleMode(
                              handle_, mode_ | ENABLE_VIRTUAL_TERMINAL_PROCESSING) != FALSE;
        }
    }
    void write(std::string_view text) {
        DWORD written = 0;
        if (handle_ != nullptr && handle_ != INVALID_HANDLE_VALUE && !text.empty()) {
            ::WriteFile(handle_, text.data(), static_cast<DWORD>(text.size()), &written,
                        nullptr);
        }
    }
    void restore() {
        if (std::exchange(is_changed_, false)) {
            ::SetConsoleMode(handle_, mode_);
        }
    }

private:
    HANDLE handle_;
    DWORD mode_ = 0;
    bool is_changed_ = false;
};

} // namespace iocp::watch
