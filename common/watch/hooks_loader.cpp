// Functions that are found at run time, DLLs that come later, programs that are started,
// and the end.

#include "common/watch/depth.hpp"
#include "common/watch/hooks.hpp"

namespace iocp::watch {

namespace {

struct {
    decltype(&::GetProcAddress) GetProcAddress;
    decltype(&::LoadLibraryA) LoadLibraryA;
    decltype(&::LoadLibraryW) LoadLibraryW;
    decltype(&::LoadLibraryExA) LoadLibraryExA;
    decltype(&::LoadLibraryExW) LoadLibraryExW;
    decltype(&::CreateProcessA) CreateProcessA;
    decltype(&::CreateProcessW) CreateProcessW;
    void(WINAPI* ExitProcess)(
        UINT); // its own type says that it does not return, which a template loses
    void(__cdecl* exit[runtimes])(int);
} real;

// [our_GetProcAddress]
// Go's runtime takes all of Winsock this way; so does a linker's delay loading.
FARPROC WINAPI our_GetProcAddress(HMODULE module, const char* name) {
    const unwatched depth;
    const FARPROC found = real.GetProcAddress(module, name);
    if (!depth.is_watched() || found == nullptr) {
        return found;
    }
    return reinterpret_cast<FARPROC>(instead_of(reinterpret_cast<void*>(found)));
}
// [/our_GetProcAddress]

// A new DLL may have brought others with it. It has run its DllMain by now, unwatched.
template <typename Function, typename... Arguments>
HMODULE load(Function function, Arguments... arguments) {
    const HMODULE module = function(arguments...);
    const unwatched depth;
    if (depth.is_watched() && module != nullptr) {
        const kept_error error;
        patch_what_has_come();
    }
    return module;
}

HMODULE WINAPI our_LoadLibraryA(const char* name) {
    return load(real.LoadLibraryA, name);
}

HMODULE WINAPI our_LoadLibraryW(const wchar_t* name) {
    return load(real.LoadLibraryW, name);
}

HMODULE WINAPI our_LoadLibraryExA(const char* name, HANDLE file, DWORD flags) {
    return load(real.LoadLibraryExA, name, file, flags);
}

HMODULE WINAPI our_LoadLibraryExW(const wchar_t* name, HANDLE file, DWORD flags) {
    return load(real.LoadLibraryExW, name, file, flags);
}

// With a list of handles in its attributes a process inherits these alone, and not what it
// was not meant to.
bool inherits_all(BOOL inherits, DWORD flags) {
    return inherits != FALSE && (flags & EXTENDED_STARTUPINFO_PRESENT) == 0;
}

template <typename Function, typename Name, typename Line, typename Start>
BOOL create(const char* call, Function function, Name name, Line line,
            SECURITY_ATTRIBUTES* process, SECURITY_ATTRIBUTES* thread, BOOL inherits,
            DWORD flags, void* environment, Name folder, Start start,
            PROCESS_INFORMATION* made) {
    const unwatched depth;
    if (depth.is_watched() && inherits_all(inherits, flags)) {
        const kept_error error;
        hooks().record->starts_process(call);
    }
    return function(name, line, process, thread, inherits, flags, environment, folder,
                    start, made);
}

BOOL WINAPI our_CreateProcessA(const char* name, char* line, SECURITY_ATTRIBUTES* process,
                               SECURITY_ATTRIBUTES* thread, BOOL inherits, DWORD flags,
                               void* environment, const char* folder, STARTUPINFOA* start,
                               PROCESS_INFORMATION* made) {
    return create("CreateProcessA", real.CreateProcessA, name, line, process, thread,
                  inherits, flags, environment, folder, start, made);
}

BOOL WINAPI our_CreateProcessW(const wchar_t* name, wchar_t* line,
                               SECURITY_ATTRIBUTES* process, SECURITY_ATTRIBUTES* thread,
                               BOOL inherits, DWORD flags, void* environment,
                               const wchar_t* folder, STARTUPINFOW* start,
                               PROCESS_INFORMATION* made) {
    return create("CreateProcessW", real.CreateProcessW, name, line, process, thread,
                  inherits, flags, environment, folder, start, made);
}

[[noreturn]] void WINAPI our_ExitProcess(UINT status) {
    {
        const unwatched depth;
        if (depth.outermost()) {
            hooks().exit_status = status;
            hooks().at_end();
        }
    }
    real.ExitProcess(status);
    ::TerminateProcess(
        ::GetCurrentProcess(),
        status); // never reached; ExitProcess is not declared to be without return
    for (;;) {
    }
}

// [our_exit]
// The C runtime ends the process, and main returns to it: no table leads from there to
// our_ExitProcess, and when a DLL is told of the end the other threads are gone, the one
// that writes among them.
template <int Runtime>
void __cdecl our_exit(int status) {
    {
        const unwatched depth;
        if (depth.outermost()) {
            hooks().exit_status = static_cast<UINT>(status);
            hooks().near_the_end();
        }
    }
    real.exit[Runtime](status);
}
// [/our_exit]

template <int Runtime>
void replace_exit(import_table& table) {
    if (real.exit[Runtime] == nullptr) { // not yet, or not loaded then
        real.exit[Runtime] =
            table.replace(runtime_dll[Runtime], "exit", &our_exit<Runtime>);
    }
}

} // namespace

void replace_exits_of_runtimes(import_table& table) {
    replace_exit<0>(table);
    replace_exit<1>(table);
    replace_exit<2>(table);
}

void replace_loader_functions(import_table& table) {
    const wchar_t* const dll = L"kernel32.dll";
    real.GetProcAddress = table.replace(dll, "GetProcAddress", &our_GetProcAddress);
    real.LoadLibraryA = table.replace(dll, "LoadLibraryA", &our_LoadLibraryA);
    real.LoadLibraryW = table.replace(dll, "LoadLibraryW", &our_LoadLibraryW);
    real.LoadLibraryExA = table.replace(dll, "LoadLibraryExA", &our_LoadLibraryExA);
    real.LoadLibraryExW = table.replace(dll, "LoadLibraryExW", &our_LoadLibraryExW);
    real.CreateProcessA = table.replace(dll, "CreateProcessA", &our_CreateProcessA);
    real.CreateProcessW = table.replace(dll, "CreateProcessW", &our_CreateProcessW);
    real.ExitProcess = table.replace(dll, "ExitProcess", &our_ExitProcess);
    replace_exits_of_runtimes(table);
}

} // namespace iocp::watch
