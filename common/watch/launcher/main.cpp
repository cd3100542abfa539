// watch: starts a program that does nothing yet, brings watch.dll into it, and lets it run.
//
// Nothing here is secret: a process may change another one's memory and start a thread in
// it if it may debug it, and a process that it has just made it may. Debuggers and
// profilers begin in the same way.

#include "common/unique.hpp"
#include "common/watch/launcher/options.hpp"
#include "common/watch/launcher/paths.hpp"
#include "common/watch/launcher/program_file.hpp"
#include "common/watch/told.hpp"

#include <winsock2.h>

#include <windows.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>

namespace iocp::watch {
namespace {

static_assert(sizeof(void*) == 8, "watch.exe and what it starts are 64-bit programs");

constexpr int could_not_start = 1;
constexpr int bad_usage = 2;
constexpr int rule_broken = 3;

// [told]
// What the watch tells: memory that it and this process share. It has no name, so the
// program gets it by inheriting the handle, whose value travels in the settings.
class told_mapping {
public:
    told_mapping() {
        SECURITY_ATTRIBUTES inheritable{sizeof(SECURITY_ATTRIBUTES), nullptr, TRUE};
        mapping_.reset(::CreateFileMappingW(INVALID_HANDLE_VALUE, &inheritable,
                                            PAGE_READWRITE, 0, told_bytes, nullptr));
        if (!mapping_) {
            fail(::GetLastError(), "CreateFileMappingW");
        }
        told_ = static_cast<told*>(
            ::MapViewOfFile(mapping_.get(), FILE_MAP_WRITE, 0, 0, told_bytes));
        if (told_ == nullptr) {
            fail(::GetLastError(), "MapViewOfFile");
        }
        *told_ = {told_version, 0, 0, 0};
    }
    ~told_mapping() {
        if (!::UnmapViewOfFile(told_)) {
            report(::GetLastError(), "UnmapViewOfFile");
        }
    }
    told_mapping(const told_mapping&) = delete;
    told_mapping& operator=(const told_mapping&) = delete;

    std::wstring handle() const {
        return std::to_wstring(reinterpret_cast<std::uintptr_t>(mapping_.get()));
    }
    bool ready() const { return std::atomic_ref{told_->ready} == 1; }
    std::uint32_t exact() const { return std::atomic_ref{told_->exact}; }

private:
    unique_handle mapping_;
    told* told_ = nullptr;
};
// [/told]

// [colour]
// A console shows colours when it has been told to read escape sequences. It belongs to
// whoever started us, too, and is left as it was found.
class colours {
public:
    explicit colours(colour_when when) : console_{::GetStdHandle(STD_ERROR_HANDLE)} {
        const bool is_console = ::GetConsoleMode(console_, &mode_before_) != 0;
        if (is_console && when != colour_when::never) {
            changed_ =
                ::SetConsoleMode(console_,
                                 mode_before_ | ENABLE_VIRTUAL_TERMINAL_PROCESSING) != 0;
        }
        wanted_ = when == colour_when::always || changed_;
    }
    ~colours() {
        if (changed_ && !::SetConsoleMode(console_, mode_before_)) {
            report(::GetLastError(), "SetConsoleMode");
        }
    }
    colours(const colours&) = delete;
    colours& operator=(const colours&) = delete;

    bool wanted() const { return wanted_; }

private:
    HANDLE console_; // not ours to close
    DWORD mode_before_ = 0;
    bool changed_ = false;
    bool wanted_ = false;
};
// [/colour]

// [settings]
// One variable of the environment, which the program inherits and the watch takes out of it
// again.
std::wstring settings_text(const options& wanted, bool colour,
                           const told_mapping& mapping) {
    std::wstring text = L"tell=" + mapping.handle();
    if (wanted.strict) {
        text += L"|strict";
    }
    if (wanted.quiet) {
        text += L"|quiet";
    }
    if (colour) {
        text += L"|colour";
    }
    if (wanted.hash_sends) {
        text += L"|hash-sends";
    }
    if (!wanted.only.empty()) {
        text += L"|only=socket=" + wanted.only;
    }
    if (!wanted.trace.empty()) {
        text += L"|trace=" + wanted.trace;
    }
    return text;
}
// [/settings]

// [lifeline]
// Should this process be killed, the system closes its handles, and with the last handle of
// the job ends what is in it: the program does not stay behind with nobody to tell. What
// the program itself starts is not in the job and lives as long as it would without the
// watch.
unique_handle make_lifeline() {
    unique_handle job{::CreateJobObjectW(nullptr, nullptr)};
    if (!job) {
        fail(::GetLastError(), "CreateJobObjectW");
    }
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits{};
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE |
                                              JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK |
                                              JOB_OBJECT_LIMIT_BREAKAWAY_OK;
    if (!::SetInformationJobObject(job.get(), JobObjectExtendedLimitInformation, &limits,
                                   sizeof limits)) {
        fail(::GetLastError(), "SetInformationJobObject");
    }
    return job;
}
// [/lifeline]

// [start]
// A process whose only thread has not run yet: not even the loader has, and no DLL of the
// program is there.
class suspended_program {
public:
    // It gets our standard handles, our environment and our folder, and so cannot tell that
    // we stand between.
    suspended_program(const std::wstring& file, std::wstring command_line) {
        STARTUPINFOW startup{};
        startup.cb = sizeof startup;
        startup.dwFlags = STARTF_USESTDHANDLES;
        startup.hStdInput = ::GetStdHandle(STD_INPUT_HANDLE);
        startup.hStdOutput = ::GetStdHandle(STD_OUTPUT_HANDLE);
        startup.hStdError = ::GetStdHandle(STD_ERROR_HANDLE);
        PROCESS_INFORMATION made{};
        if (!::CreateProcessW(file.c_str(), command_line.data(), nullptr, nullptr, TRUE,
                              CREATE_SUSPENDED, nullptr, nullptr, &startup, &made)) {
            fail(::GetLastError(), "CreateProcessW", utf8(file));
        }
        process_.reset(made.hProcess);
        thread_.reset(made.hThread);
    }
    ~suspended_program() {
        if (!resumed_) {
            ::TerminateProcess(process_.get(), could_not_start);
        }
    }
    suspended_program(const suspended_program&) = delete;
    suspended_program& operator=(const suspended_program&) = delete;

    HANDLE process() const { return process_.get(); }

    void resume() {
        if (::ResumeThread(thread_.get()) == static_cast<DWORD>(-1)) {
            fail(::GetLastError(), "ResumeThread");
        }
        resumed_ = true;
    }

private:
    unique_handle process_;
    unique_handle thread_;
    bool resumed_ = false;
};
// [/start]

// [bring_in]
// Makes the program call LoadLibraryW(dll), in a thread that begins with that function. It
// is at the same address in every 64-bit process until the system is started anew, since
// kernel32.dll is; and it takes one pointer, as the first function of a thread does. The
// pointer has to mean something over there: so the path is written there first.
//
// This thread is the first to run in the process. So it runs the loader, which brings in
// the program's own DLLs: a program with one that is missing ends here, and so may one
// whose DLLs say no.
void bring_in(HANDLE process, const std::wstring& dll) {
    const SIZE_T bytes = (dll.size() + 1) * sizeof(wchar_t);
    void* const path =
        ::VirtualAllocEx(process, nullptr, bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    if (path == nullptr) {
        fail(::GetLastError(), "VirtualAllocEx");
    }
    if (!::WriteProcessMemory(process, path, dll.c_str(), bytes, nullptr)) {
        fail(::GetLastError(), "WriteProcessMemory");
    }
    // Not &LoadLibraryW: that may be the address of a jump in this program.
    const FARPROC load_library =
        ::GetProcAddress(::GetModuleHandleW(L"kernel32.dll"), "LoadLibraryW");
    if (load_library == nullptr) {
        fail(::GetLastError(), "GetProcAddress LoadLibraryW");
    }
    const auto first =
        reinterpret_cast<LPTHREAD_START_ROUTINE>(reinterpret_cast<void*>(load_library));
    const unique_handle thread{
        ::CreateRemoteThread(process, nullptr, 0, first, path, 0, nullptr)};
    if (!thread) {
        fail(::GetLastError(), "CreateRemoteThread");
    }
    if (::WaitForSingleObject(thread.get(), INFINITE) ==
        WAIT_FAILED) { // a thread ends with its process, too
        fail(::GetLastError(), "WaitForSingleObject");
    }
    ::VirtualFreeEx(
        process, path, 0,
        MEM_RELEASE); // fails when the process has ended, which is looked for next
}
// [/bring_in]

// [check]
// The thread's exit code is what LoadLibraryW returned, but only the lower half of it,
// which says little. So the watch itself tells when it is in place.
void check_presence(HANDLE process, const told_mapping& mapping,
                    const std::wstring& program) {
    if (mapping.ready()) {
        return;
    }
    // A process that ends takes a moment after its threads.
    constexpr DWORD moment_ms = 1000;
    DWORD status = 0;
    if (::WaitForSingleObject(process, moment_ms) != WAIT_OBJECT_0 ||
        !::GetExitCodeProcess(process, &status)) {
        throw std::runtime_error{utf8(program) +
                                 ": LoadLibraryW could not bring watch.dll in"};
    }
    char code[16];
    std::snprintf(code, sizeof code, "0x%08lX", status);
    const bool dll_missing = status == static_cast<DWORD>(STATUS_DLL_NOT_FOUND);
    throw std::runtime_error{utf8(program) +
                             ": it ended before the watch was in, with status " + code +
                             (dll_missing ? ": a DLL that it needs is missing" : "")};
}
// [/check]

// [ctrl_c]
// Ctrl+C goes to every process of the console. This one stays, until the program has ended
// in its own way.
BOOL WINAPI outlive_the_program(DWORD event) {
    if (event == CTRL_C_EVENT || event == CTRL_BREAK_EVENT) {
        return TRUE;
    }
    // The window is closed, or the user logs off: this process would end with the return,
    // and take the program with it. The system gives both a few seconds. The end of main()
    // ends this thread.
    ::Sleep(INFINITE);
    return TRUE;
}
// [/ctrl_c]

std::wstring watch_dll() {
    std::wstring path(32'768, L'\0');
    const DWORD length =
        ::GetModuleFileNameW(nullptr, path.data(), static_cast<DWORD>(path.size()));
    if (length == 0 || length == path.size()) {
        fail(::GetLastError(), "GetModuleFileNameW");
    }
    path.resize(path.rfind(L'\\', length - 1) + 1);
    path += L"watch.dll";
    if (::GetFileAttributesW(path.c_str()) == INVALID_FILE_ATTRIBUTES) {
        throw std::runtime_error{utf8(path) +
                                 ": no such file; it belongs beside watch.exe"};
    }
    return path;
}

// [run]
DWORD run(const options& wanted) {
    const std::wstring file = find_program(wanted.program);
    const std::wstring dll = wanted.linked ? L"" : watch_dll();
    const told_mapping mapping;
    const colours colour{wanted.colour};
    if (!::SetEnvironmentVariableW(
            L"IOCP_WATCH", settings_text(wanted, colour.wanted(), mapping).c_str())) {
        fail(::GetLastError(), "SetEnvironmentVariableW");
    }

    const unique_handle lifeline = make_lifeline();
    suspended_program program{file, L'"' + wanted.program + L'"' + wanted.arguments};
    if (!::AssignProcessToJobObject(lifeline.get(), program.process())) {
        report(::GetLastError(),
               "AssignProcessToJobObject"); // it runs as well, and would stay behind
    }
    if (!wanted.linked) {
        bring_in(program.process(), dll);
        check_presence(program.process(), mapping, wanted.program);
    }

    // Not before: until here, Ctrl+C is to end this process, and the lifeline the other.
    if (!::SetConsoleCtrlHandler(outlive_the_program, TRUE)) {
        fail(::GetLastError(), "SetConsoleCtrlHandler");
    }
    program.resume();
    if (::WaitForSingleObject(program.process(), INFINITE) == WAIT_FAILED) {
        fail(::GetLastError(), "WaitForSingleObject");
    }
    DWORD status = 0;
    if (!::GetExitCodeProcess(program.process(), &status)) {
        fail(::GetLastError(), "GetExitCodeProcess");
    }
    if (!mapping.ready()) {
        throw std::runtime_error{utf8(wanted.program) +
                                 ": it has no watch in itself, or ended before that began"};
    }
    return status == 0 && wanted.strict && mapping.exact() > 0 ? rule_broken : status;
}
// [/run]

} // namespace
} // namespace iocp::watch

int main() {
    using namespace iocp::watch;
    try {
        const options wanted = read_options(::GetCommandLineW());
        if (wanted.help) {
            std::fputs(help_text, stdout);
            return 0;
        }
        return static_cast<int>(run(wanted));
    } catch (const usage_error& problem) {
        std::fprintf(stderr, "watch: %s (--help lists the options)\n", problem.what());
        return bad_usage;
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "watch: %s\n", problem.what());
        return could_not_start;
    }
}
