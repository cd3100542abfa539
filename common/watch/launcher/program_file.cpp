// CreateProcessW says of a text file that it is "not a valid Win32 application", and says
// nothing of a 32-bit program: it starts it, and only the DLL would not go in. So this
// looks into the file before.

#include "common/watch/launcher/program_file.hpp"

#include "common/unique.hpp"
#include "common/watch/launcher/paths.hpp"

#include <winsock2.h>

#include <windows.h>

#include <stdexcept>

namespace iocp::watch {
namespace {

struct file_policy {
    using type = HANDLE;
    static inline const type none = INVALID_HANDLE_VALUE;
    static void close(type file) noexcept { handle_policy::close(file); }
};
using unique_file = unique_resource<file_policy>;

[[noreturn]] void refuse(const std::wstring& path, const std::string& why) {
    throw std::runtime_error{utf8(path) + ": " + why};
}

bool is_missing(const std::wstring& path) {
    return ::GetFileAttributesW(path.c_str()) == INVALID_FILE_ATTRIBUTES;
}

// [headers]
// Reads a header that begins `at` bytes into the file. \return whether there is that much
template <class Header>
bool read_at(HANDLE file, LONGLONG at, Header& header) {
    LARGE_INTEGER place{};
    place.QuadPart = at;
    DWORD read = 0;
    return ::SetFilePointerEx(file, place, nullptr, FILE_BEGIN) &&
           ::ReadFile(file, &header, sizeof header, &read, nullptr) &&
           read == sizeof header;
}

// A program begins with the headers of a DOS program, which say where the real ones are.
void check_headers(HANDLE file, const std::wstring& path) {
    IMAGE_DOS_HEADER dos{};
    DWORD signature = 0;
    IMAGE_FILE_HEADER header{};
    if (!read_at(file, 0, dos) || dos.e_magic != IMAGE_DOS_SIGNATURE ||
        !read_at(file, dos.e_lfanew, signature) || signature != IMAGE_NT_SIGNATURE ||
        !read_at(file, dos.e_lfanew + LONGLONG{sizeof signature}, header) ||
        (header.Characteristics & IMAGE_FILE_EXECUTABLE_IMAGE) == 0) {
        refuse(path, "not a Windows program");
    }
    if ((header.Characteristics & IMAGE_FILE_DLL) != 0) {
        refuse(path, "a DLL, not a program");
    }
    if (header.Machine == IMAGE_FILE_MACHINE_I386) {
        refuse(path, "a 32-bit program; the watch is for 64-bit ones (x64)");
    }
    if (header.Machine != IMAGE_FILE_MACHINE_AMD64) {
        refuse(path, "a program for another processor; the watch is for x64");
    }
}
// [/headers]

} // namespace

std::wstring find_program(const std::wstring& path) {
    std::wstring found = path;
    if (is_missing(path) && !is_missing(path + L".exe")) {
        found += L".exe";
    }
    const unique_file file{::CreateFileW(found.c_str(), GENERIC_READ,
                                         FILE_SHARE_READ | FILE_SHARE_DELETE, nullptr,
                                         OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr)};
    if (!file) {
        const DWORD code = ::GetLastError();
        if (is_missing(found)) {
            refuse(path, "no such file");
        }
        if ((::GetFileAttributesW(found.c_str()) & FILE_ATTRIBUTE_DIRECTORY) != 0) {
            refuse(path, "a folder, not a program");
        }
        fail(code, "CreateFileW", utf8(found));
    }
    check_headers(file.get(), found);
    return full_path(found);
}

} // namespace iocp::watch
