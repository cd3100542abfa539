#include "common/watch/symbols.hpp"

#include "common/watch/digits.hpp"

#include <winsock2.h>

#include <windows.h>

#include <dbghelp.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <string_view>

namespace iocp::watch {
namespace {

constexpr std::size_t most_frames = 4;

// What is below these in a stack is not the program's: how it, or its thread, was started.
constexpr std::string_view program_starts[] = {"main", "wmain", "WinMain", "wWinMain"};
constexpr std::string_view runtime_starts[] = {"__tmainCRTStartup",
                                               "mainCRTStartup",
                                               "wmainCRTStartup",
                                               "WinMainCRTStartup",
                                               "wWinMainCRTStartup",
                                               "invoke_main",
                                               "__scrt_common_main",
                                               "__scrt_common_main_seh",
                                               "execute_native_thread_routine",
                                               "pthread_create_wrapper",
                                               "thread_start<unsigned int (__cdecl*)(void *),1>"};

// Functions of the C++ library that a call goes through, say from std::thread to the thread's own function.
constexpr std::string_view library_folders[] = {"/include/c++/", "\\include\\c++\\", "/c++/v1/", "\\VC\\Tools\\MSVC\\",
                                                "/VC/Tools/MSVC/"};
constexpr std::string_view watch_folders[] = {"common/watch/", "common\\watch\\", "common/watch\\", "common\\watch/"};

std::string utf8(std::wstring_view wide) {
    if (wide.empty()) {
        return {};
    }
    const int length = static_cast<int>(wide.size());
    const int bytes = ::WideCharToMultiByte(CP_UTF8, 0, wide.data(), length, nullptr, 0, nullptr, nullptr);
    std::string narrow(static_cast<std::size_t>(bytes), '\0');
    ::WideCharToMultiByte(CP_UTF8, 0, wide.data(), length, narrow.data(), bytes, nullptr, nullptr);
    return narrow;
}

std::wstring_view base_name(std::wstring_view path) {
    const std::size_t slash = path.find_last_of(L"\\/");
    return slash == std::wstring_view::npos ? path : path.substr(slash + 1);
}

std::wstring path_of(HMODULE module) {
    std::wstring path(MAX_PATH, L'\0');
    for (;;) {
        const DWORD length = ::GetModuleFileNameW(module, path.data(), static_cast<DWORD>(path.size()));
        if (length < path.size()) {
            path.resize(length);
            return path;
        }
        path.resize(path.size() * 2);
    }
}

bool in_system_folder(const std::wstring& path) {
    wchar_t folder[MAX_PATH];
    const UINT length = ::GetSystemDirectoryW(folder, MAX_PATH);
    return length != 0 && length < MAX_PATH && path.size() > length &&
           ::CompareStringOrdinal(path.c_str(), static_cast<int>(length), folder, static_cast<int>(length), TRUE) ==
               CSTR_EQUAL;
}

template <class List>
bool is_one_of(std::string_view name, const List& names) {
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

template <class List>
bool has_one_of(std::string_view path, const List& parts) {
    return std::any_of(std::begin(parts), std::end(parts),
                       [path](std::string_view part) { return path.find(part) != std::string_view::npos; });
}

void erase_all(std::string& text, std::string_view part) {
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at)) {
        text.erase(at, part.size());
    }
}

// Two compilers write an unnamed namespace in two ways, and neither tells a reader anything.
std::string readable(std::string function) {
    erase_all(function, "`anonymous namespace'::");
    erase_all(function, "(anonymous namespace)::");
    return function;
}

// What DbgHelp knows of one address; its texts are cut where they would be longer.
struct symbol_buffer : SYMBOL_INFOW {
    symbol_buffer() : SYMBOL_INFOW{} {
        SizeOfStruct = sizeof(SYMBOL_INFOW);
        MaxNameLen = static_cast<ULONG>(std::size(more));
    }
    wchar_t more[512] = {};
};

} // namespace

std::string words(const frame& one) {
    if (!one.file.empty()) {
        return one.function + " at " + one.file + ":" + std::to_string(one.line);
    }
    return one.module + "+" + hexadecimal(one.offset);
}

symbols::~symbols() {
    if (process_ != nullptr) {
        if (!given_up_) {
            ::SymCleanup(process_);
        }
        ::CloseHandle(process_);
    }
}

bool symbols::start() {
    if (given_up_) {
        return false;
    }
    if (process_ == nullptr) {
        // A handle of its own: the program may use DbgHelp, too, and there it is known by its handle.
        if (!::DuplicateHandle(::GetCurrentProcess(), ::GetCurrentProcess(), ::GetCurrentProcess(), &process_, 0, FALSE,
                               DUPLICATE_SAME_ACCESS)) {
            given_up_ = true;
            return false;
        }
        ::SymSetOptions(SYMOPT_LOAD_LINES | SYMOPT_UNDNAME | SYMOPT_FAIL_CRITICAL_ERRORS | SYMOPT_NO_PROMPTS);
        // Not "invade": that would load the symbols of every module at once.
        given_up_ = ::SymInitializeW(process_, nullptr, FALSE) == FALSE;
    }
    return !given_up_;
}

const symbols::module& symbols::module_of(std::uintptr_t address) {
    MEMORY_BASIC_INFORMATION memory{};
    std::uintptr_t base = 0;
    if (::VirtualQuery(reinterpret_cast<const void*>(address), &memory, sizeof memory) != 0 &&
        memory.Type == MEM_IMAGE) {
        base = reinterpret_cast<std::uintptr_t>(memory.AllocationBase);
    }
    const auto known =
        std::find_if(modules_.begin(), modules_.end(), [base](const module& one) { return one.base == base; });
    if (known != modules_.end()) {
        return *known;
    }
    module fresh{.base = base, .name = "unknown"};
    if (base != 0) {
        const std::wstring path = path_of(reinterpret_cast<HMODULE>(base));
        fresh.name = utf8(base_name(path));
        fresh.foreign = in_system_folder(path) || fresh.name == "watch.dll";
        if (!fresh.foreign && start()) {
            // Without symbols it fails, or has nothing to say later on: the offset is left.
            ::SymLoadModuleExW(process_, nullptr, path.c_str(), nullptr, base, 0, nullptr, 0);
        }
    }
    return modules_.emplace_back(std::move(fresh));
}

std::vector<frame> symbols::frames(const call_stack& addresses) {
    std::vector<frame> found;
    for (void* const returns_to : addresses) {
        if (returns_to == nullptr || found.size() == most_frames) {
            break;
        }
        // The address is where the call returns to, which may be the next line: one byte before it is inside the call.
        const std::uintptr_t address = reinterpret_cast<std::uintptr_t>(returns_to) - 1;
        const module& home = module_of(address);
        if (home.foreign) {
            continue;
        }
        symbol_buffer symbol;
        IMAGEHLP_LINEW64 line{};
        line.SizeOfStruct = sizeof line;
        DWORD64 into_function = 0;
        DWORD into_line = 0;
        std::string function;
        if (home.base != 0 && start() && ::SymFromAddrW(process_, address, &into_function, &symbol)) {
            function = readable(utf8(std::wstring_view{symbol.Name, std::min<std::size_t>(symbol.NameLen, 512)}));
        }
        if (is_one_of(function, runtime_starts)) {
            break;
        }
        if (!function.empty() && ::SymGetLineFromAddrW64(process_, address, &into_line, &line)) {
            const std::string path = utf8(line.FileName);
            if (has_one_of(path, watch_folders) || has_one_of(path, library_folders)) {
                continue;
            }
            found.push_back({.function = function, .file = utf8(base_name(line.FileName)), .line = line.LineNumber});
        } else {
            found.push_back({.module = home.name, .offset = address + 1 - home.base});
        }
        if (is_one_of(function, program_starts)) {
            break;
        }
    }
    return found;
}

} // namespace iocp::watch
