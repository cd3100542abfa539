#pragma once

#include "common/watch/import_table.hpp"
#include "common/watch/recorder.hpp"

namespace iocp::watch {

/// What the replaced functions call before and after the real ones. One for the process,
/// and it stays until its end.
struct hooks_state {
    recorder* record = nullptr;
    import_table* table = nullptr;
    HMODULE own = nullptr; ///< the watch's DLL; null when it is linked with the program
    void (*near_the_end)() = nullptr; ///< the program calls exit
    void (*at_end)() = nullptr;       ///< the program calls ExitProcess
    UINT exit_status = 0;             ///< what the program is about to end with
    SRWLOCK patching = SRWLOCK_INIT;
};

/// Replaces the functions of Winsock, of ports, of memory and of the loader in all tables,
/// from now on and in DLLs that come later.
///
/// \param near_the_end is called when the program calls exit, or returns from main, before
/// that
///
/// \param at_end is called when the program calls ExitProcess, before that
void install_hooks(recorder& record, HMODULE own, void (*near_the_end)(), void (*at_end)());

// One part each, in hooks_*.cpp. They fill in what the real functions are.

/// Winsock's calls that submit no overlapped operation.
void replace_socket_functions(import_table& table);
/// The calls that send and receive.
void replace_overlapped_functions(import_table& table);
/// WSAIoctl, and the extension functions that it hands out.
void replace_ioctl(import_table& table);
/// The calls that ask for results, or cancel.
void replace_result_functions(import_table& table);
/// Waits for events.
void replace_wait_functions(import_table& table);
/// Completion ports, and the handles that are closed.
void replace_port_functions(import_table& table);
/// Files and named pipes.
void replace_file_functions(import_table& table);
/// The system's thread pool.
void replace_pool_functions(import_table& table);
/// Memory that is freed.
void replace_memory_functions(import_table& table);
/// Functions that are found at run time, DLLs that come later, and the end of the program.
void replace_loader_functions(import_table& table);

// Those of DLLs that a program may well load later; nothing happens to what is replaced
// already.

/// free and realloc of the C runtimes that are there.
void replace_memory_functions_of_runtimes(import_table& table);
/// exit of the C runtimes that are there.
void replace_exits_of_runtimes(import_table& table);
/// Waits of programs with windows.
void replace_message_waits(import_table& table);
/// AcceptEx and its like, where a program imports them from mswsock.dll.
void replace_extension_functions(import_table& table);

/// How many C runtimes are looked after: a program may use one, and a DLL of its own
/// another one; the last is that of Visual Studio's debug builds.
constexpr int runtimes = 3;
/// Their names.
constexpr const wchar_t* runtime_dll[runtimes] = {L"msvcrt.dll", L"ucrtbase.dll",
                                                  L"ucrtbased.dll"};

/// Set by install_hooks before anything is replaced.
hooks_state& hooks();

/// \return what GetProcAddress is to hand out instead of this function: ours, or itself
void* instead_of(void* function);

/// From now on instead_of(original) is ours.
void hand_out(void* original, void* ours);

/// DLLs may have come.
void patch_what_has_come();

/// Keeps the last error, which is part of what a call returns, while the watch does its own
/// work.
class kept_error {
public:
    kept_error() : error_(::GetLastError()) {}
    ~kept_error() { ::SetLastError(error_); }
    kept_error(const kept_error&) = delete;
    kept_error& operator=(const kept_error&) = delete;

    DWORD value() const { return error_; }

private:
    DWORD error_;
};

} // namespace iocp::watch
