#pragma once

#include <winsock2.h>

#include <windows.h>

#include <unordered_map>
#include <vector>

namespace iocp::watch {

/// The modules that are loaded, and that stay so while this lives: another thread may be
/// about to free one.
///
/// No lock of the watch is to be held where it ends. The last one who holds a DLL runs its
/// DllMain.
class held_modules {
public:
    held_modules();
    ~held_modules();

    held_modules(const held_modules&) = delete;
    held_modules& operator=(const held_modules&) = delete;

    const std::vector<HMODULE>& all() const { return modules_; }

private:
    std::vector<HMODULE> modules_;
};

/// Layer 1: replaces functions in import tables.
///
/// The linker makes a call to another DLL's function a jump through a pointer: the
/// program's import address table has one for each function, and the loader fills them in
/// before the program starts. Whoever changes the pointer gets the call. Nothing in the
/// other DLL changes, so the system's own calls, which go through the system's own tables,
/// are not seen.
///
/// A pointer is recognised by the address that the loader wrote there, not by its name: so
/// it does not matter whether it was imported by name, by number (as Winsock's old
/// functions are) or by way of a DLL that only forwards.
class import_table {
public:
    /// From now on, wherever a table holds this function of this DLL, patch() puts `ours`
    /// there.
    ///
    /// \param dll as GetModuleHandleW knows it; one that is not loaded is passed over
    ///
    /// \return the function itself, for ours to call; null when there is none
    template <typename Function>
    Function replace(const wchar_t* dll, const char* name, Function ours) {
        return reinterpret_cast<Function>(note(dll, name, reinterpret_cast<void*>(ours)));
    }

    /// \return a function of a loaded DLL, which stays as it is; null when there is none
    static void* find(const wchar_t* dll, const char* name);

    /// replace() for a function that is known by its address, as those are that WSAIoctl
    /// hands out.
    void replace_address(void* original, void* ours) { ours_.emplace(original, ours); }

    /// \return ours for a function that is to be replaced; null for any other
    void* ours_for(void* original) const;

    /// Patches the program and its own DLLs. What is patched already stays as it is: a DLL
    /// may have been freed and loaded again at the same place, or have been half loaded the
    /// last time. The system's DLLs are left alone, and `except`.
    void patch(const held_modules& loaded, HMODULE except) const;

private:
    void* note(const wchar_t* dll, const char* name, void* ours);
    void patch_module(HMODULE module) const;

    std::unordered_map<void*, void*> ours_;
};

} // namespace iocp::watch
