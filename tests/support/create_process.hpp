#pragma once

#include <winsock2.h>

#include <windows.h>

#include <string>

namespace support {

/// CreateProcessW with a command line, inherited handles and CREATE_SUSPENDED. Tries again when Wine says that the
/// process ended before it was one.
///
/// Each Wine process needs the page at 0x7ffe0000. Debian builds Wine without the loader that would take it first, and
/// about one process in 8,000 finds its heap there, because Linux puts the heap at random somewhere between 0x7d000000
/// and 0xbd000000. That process ends, and CreateProcessW gives ERROR_INTERNAL_ERROR. cmake/wine asks for a heap that
/// is not at random, which not every container allows.
///
/// No fault of the program hides behind this: nothing of it was loaded yet. One that ends later, however early, was
/// created and has an exit status; one that is missing or broken gives another error. Windows has no such error here.
inline BOOL create_suspended(const std::wstring& command_line, DWORD flags, STARTUPINFOW& startup,
                             PROCESS_INFORMATION& made) {
    constexpr int tries = 3;
    for (int left = tries - 1;; --left) {
        // CreateProcessW may write into its command line.
        std::wstring scratch = command_line;
        if (::CreateProcessW(nullptr, scratch.data(), nullptr, nullptr, TRUE, flags | CREATE_SUSPENDED, nullptr,
                             nullptr, &startup, &made)) {
            return TRUE;
        }
        if (left == 0 || ::GetLastError() != ERROR_INTERNAL_ERROR) {
            return FALSE;
        }
    }
}

} // namespace support
