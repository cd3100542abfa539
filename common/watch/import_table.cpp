#include "common/watch/import_table.hpp"

#include "common/watch/modules.hpp"

#include <psapi.h>

#include <string_view>
#include <vector>

namespace iocp::watch {

namespace {

std::vector<HMODULE> listed_modules() {
    std::vector<HMODULE> modules(64);
    for (;;) {
        DWORD needed = 0;
        const DWORD size = static_cast<DWORD>(modules.size() * sizeof(HMODULE));
        if (!::K32EnumProcessModules(::GetCurrentProcess(), modules.data(), size,
                                     &needed)) {
            return {};
        }
        modules.resize(needed / sizeof(HMODULE));
        if (needed <= size) {
            return modules;
        }
    }
}

// Whether code may run in a page: some linkers put tables and code into one.
bool is_executable(const void* place) {
    constexpr DWORD executable =
        PAGE_EXECUTE | PAGE_EXECUTE_READ | PAGE_EXECUTE_READWRITE | PAGE_EXECUTE_WRITECOPY;
    MEMORY_BASIC_INFORMATION page{};
    return ::VirtualQuery(place, &page, sizeof(page)) != 0 &&
           (page.Protect & executable) != 0;
}

// [write]
// The tables lie in memory that is read-only once the loader is done. Other threads may be
// jumping through the pointer meanwhile: it is aligned, so they find the old one or the new
// one. And they may be running code in the same page.
void write(void** slot, void* value) {
    DWORD before = 0;
    const DWORD meanwhile = is_executable(slot) ? PAGE_EXECUTE_READWRITE : PAGE_READWRITE;
    if (::VirtualProtect(slot, sizeof(*slot), meanwhile, &before)) {
        *slot = value;
        ::VirtualProtect(slot, sizeof(*slot), before, &before);
    }
}
// [/write]

} // namespace

void* import_table::find(const wchar_t* dll, const char* name) {
    const HMODULE module = ::GetModuleHandleW(dll);
    return module == nullptr ? nullptr
                             : reinterpret_cast<void*>(::GetProcAddress(module, name));
}

void* import_table::note(const wchar_t* dll, const char* name, void* ours) {
    void* const original = find(dll, name);
    if (original != nullptr) {
        replace_address(original, ours);
    }
    // Most of kernel32 is a way into kernelbase, and a program may be linked with that one
    // by its other names (api-ms-win-core-...).
    if (std::wstring_view(dll) == L"kernel32.dll") {
        if (void* const other = find(L"kernelbase.dll", name)) {
            replace_address(other, ours);
        }
    }
    return original;
}

void* import_table::ours_for(void* original) const {
    const auto found = ours_.find(original);
    return found == ours_.end() ? nullptr : found->second;
}

// [patch_module]
void import_table::patch_module(HMODULE module) const {
    // A module's handle is the address it is loaded at. Its headers are there, and all that
    // they name is an offset from there.
    char* const base = reinterpret_cast<char*>(module);
    const auto* const dos = reinterpret_cast<const IMAGE_DOS_HEADER*>(base);
    const auto* const pe = reinterpret_cast<const IMAGE_NT_HEADERS*>(base + dos->e_lfanew);
    const IMAGE_DATA_DIRECTORY& directory =
        pe->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_IMPORT];
    if (directory.VirtualAddress == 0) {
        return;
    }
    // One descriptor for each DLL that the module needs; the last has no name. FirstThunk
    // is its part of the import address table: one pointer for each function, and a null at
    // the end.
    const auto* descriptor =
        reinterpret_cast<const IMAGE_IMPORT_DESCRIPTOR*>(base + directory.VirtualAddress);
    for (; descriptor->Name != 0; ++descriptor) {
        for (void** slot = reinterpret_cast<void**>(base + descriptor->FirstThunk);
             *slot != nullptr; ++slot) {
            if (void* const ours = ours_for(*slot)) {
                write(slot, ours);
            }
        }
    }
}
// [/patch_module]

void import_table::patch(const held_modules& loaded, HMODULE except) const {
    // The program itself is never the system's, wherever it lies.
    const HMODULE program = ::GetModuleHandleW(nullptr);
    for (const HMODULE module : loaded.all()) {
        if (module != except && (module == program || !is_the_systems(path_of(module)))) {
            patch_module(module);
        }
    }
}

held_modules::held_modules() {
    for (const HMODULE module : listed_modules()) {
        HMODULE held = nullptr;
        if (::GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                                 reinterpret_cast<const wchar_t*>(module), &held)) {
            modules_.push_back(held);
        }
    }
}

held_modules::~held_modules() {
    for (const HMODULE module : modules_) {
        ::FreeLibrary(module);
    }
}

} // namespace iocp::watch
