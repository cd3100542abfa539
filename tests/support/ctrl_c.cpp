// ctrl_c COMMAND LINE: runs a program in this helper's console and presses Ctrl+C there for each byte on standard
// input.
//
// GenerateConsoleCtrlEvent reaches the processes of the caller's console, and only CTRL_C_EVENT to all of them (group
// 0) is what a person's Ctrl+C does. A test program has no console of its own, or one that it shares with the person
// who started it: so this helper is started with CREATE_NO_WINDOW, which gives it a console that nobody else is in.
//
// It writes `pid N` as the first line on standard output, before the program runs, and ends with the program's status.
// Where it was given no console that line is `no console`, and it ends without having started anything.

#include "tests/support/create_process.hpp"

#include <winsock2.h>

#include <windows.h>

#include <cstdio>
#include <string>

namespace {

constexpr UINT own_failure = 120;

[[noreturn]] void give_up(const char* call) {
    std::fprintf(stderr, "ctrl_c: %s: %lu\n", call, ::GetLastError());
    ::ExitProcess(own_failure);
}

// Wine starts a process of its own for a new console. When that fails (create_process.hpp says how it can) the helper
// runs all the same, without a console. It would show only when Ctrl+C is pressed.
bool has_console() {
    DWORD one = 0;
    return ::GetConsoleProcessList(&one, 1) != 0;
}

BOOL WINAPI survive(DWORD) {
    return TRUE;
}

DWORD WINAPI press_when_told(void*) {
    char ignored = 0;
    DWORD read = 0;
    while (::ReadFile(::GetStdHandle(STD_INPUT_HANDLE), &ignored, 1, &read, nullptr) && read == 1) {
        if (!::GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0)) {
            give_up("GenerateConsoleCtrlEvent");
        }
    }
    return 0;
}

// Everything after this program's own name, as it was quoted by who started it.
std::wstring rest_of_command_line() {
    const std::wstring all = ::GetCommandLineW();
    std::size_t end = 0;
    for (bool quoted = false; end < all.size() && (quoted || all[end] != L' '); ++end) {
        quoted = quoted != (all[end] == L'"');
    }
    const std::size_t start = all.find_first_not_of(L' ', end);
    return start == std::wstring::npos ? L"" : all.substr(start);
}

} // namespace

int main() {
    if (!has_console()) {
        std::puts("no console");
        return own_failure;
    }

    // The program gets no standard input: this helper reads from its own.
    SECURITY_ATTRIBUTES inheritable{sizeof(SECURITY_ATTRIBUTES), nullptr, TRUE};
    const HANDLE nothing = ::CreateFileW(L"NUL", GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, &inheritable,
                                         OPEN_EXISTING, 0, nullptr);
    if (nothing == INVALID_HANDLE_VALUE) {
        give_up("CreateFileW NUL");
    }

    // Whoever has started the tests may ignore Ctrl+C, and children inherit that: the program would never hear of it.
    if (!::SetConsoleCtrlHandler(nullptr, FALSE)) {
        give_up("SetConsoleCtrlHandler");
    }

    STARTUPINFOW startup{};
    startup.cb = sizeof(startup);
    startup.dwFlags = STARTF_USESTDHANDLES;
    startup.hStdInput = nothing;
    startup.hStdOutput = ::GetStdHandle(STD_OUTPUT_HANDLE);
    startup.hStdError = ::GetStdHandle(STD_ERROR_HANDLE);
    PROCESS_INFORMATION process{};
    if (!support::create_suspended(rest_of_command_line(), 0, startup, process)) {
        give_up("CreateProcessW");
    }

    // After the program was made: a program is born with the handlers of nobody, but with the wish to ignore Ctrl+C.
    if (!::SetConsoleCtrlHandler(survive, TRUE)) {
        give_up("SetConsoleCtrlHandler");
    }
    std::printf("pid %lu\n", process.dwProcessId);
    std::fflush(stdout);
    if (::ResumeThread(process.hThread) == static_cast<DWORD>(-1)) {
        give_up("ResumeThread");
    }

    const HANDLE presser = ::CreateThread(nullptr, 0, press_when_told, nullptr, 0, nullptr);
    if (presser == nullptr) {
        give_up("CreateThread");
    }
    DWORD status = own_failure;
    ::WaitForSingleObject(process.hProcess, INFINITE);
    if (!::GetExitCodeProcess(process.hProcess, &status)) {
        give_up("GetExitCodeProcess");
    }
    // The presser may be inside ReadFile and cannot be joined. ExitProcess ends it.
    ::ExitProcess(status);
}
