// Functions that are found at run time, DLLs that come later, and the end.

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
    decltype(&::ExitProcess) ExitProcess;
} real;

// [our_GetProcAddress]
// Go's runtime takes all of Winsock this way; so does a linker's delay loading.
FARPROC WINAPI our_GetProcAddress(HMODULE module, const char* name) {
    const unwatched depth;
    const FARPROC found = real.GetProcAddress(module, name);
    if (!depth.outermost() || found == nullptr) {
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
    if (depth.outermost() && module != nullptr) {
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

[[noreturn]] void WINAPI our_ExitProcess(UINT status) {
    {
        const unwatched depth;
        if (depth.outermost()) {
            hooks().at_end();
        }
    }
    real.ExitProcess(status);
    ::TerminateProcess(::GetCurrentProcess(),
                       status); // never reached; ExitProcess is not declared to be without return
    for (;;) {
    }
}

} // namespace

void replace_loader_functions(import_table& table) {
    const wchar_t* const dll = L"kernel32.dll";
    real.GetProcAddress = table.replace(dll, "GetProcAddress", &our_GetProcAddress);
    real.LoadLibraryA = table.replace(dll, "LoadLibraryA", &our_LoadLibraryA);
    real.LoadLibraryW = table.replace(dll, "LoadLibraryW", &our_LoadLibraryW);
    real.LoadLibraryExA = table.replace(dll, "LoadLibraryExA", &our_LoadLibraryExA);
    real.LoadLibraryExW = table.replace(dll, "LoadLibraryExW", &our_LoadLibraryExW);
    real.ExitProcess = table.replace(dll, "ExitProcess", &our_ExitProcess);
}

} // namespace iocp::watch
