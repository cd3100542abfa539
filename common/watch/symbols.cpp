#include "common/watch/symbols.hpp"

#include "common/watch/digits.hpp"
#include "common/watch/modules.hpp"

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
constexpr std::string_view runtime_starts[] = {
    "__tmainCRTStartup",     "mainCRTStartup",         "wmainCRTStartup",
    "WinMainCRTStartup",     "wWinMainCRTStartup",     "invoke_main",
    "__scrt_common_main",    "__scrt_common_main_seh", "execute_native_thread_routine",
    "pthread_create_wrapper"};

// Functions of the C++ library that a call goes through, say from std::thread to the
// thread's own function, and the runtime that Microsoft's compiler links to a program.
constexpr std::string_view library_folders[] = {
    "/include/c++/",   "\\include\\c++\\", "/c++/v1/",         "\\VC\\Tools\\MSVC\\",
    "/VC/Tools/MSVC/", "\\vctools\\crt\\", "minkernel\\crts\\"};
constexpr std::string_view watch_folders[] = {"common/watch/", "common\\watch\\",
                                              "common/watch\\", "common\\watch/"};

std::string_view base_name(std::string_view path) {
    return path.substr(path.find_last_of("\\/") + 1); // npos + 1 is 0
}

template <class List>
bool is_one_of(std::string_view name, const List& names) {
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

template <class List>
bool has_one_of(std::string_view path, const List& parts) {
    return std::any_of(std::begin(parts), std::end(parts), [path](std::string_view part) {
        return path.find(part) != std::string_view::npos;
    });
}

void erase_all(std::string& text, std::string_view part) {
    for (std::size_t at = text.find(part); at != std::string::npos;
         at = text.find(part, at)) {
        text.erase(at, part.size());
    }
}

// What a person calls a function: without template arguments, and without the names that
// two compilers have for a namespace without one.
std::string readable(std::string function) {
    erase_all(function, "`anonymous namespace'::");
    erase_all(function, "(anonymous namespace)::");
    std::string words;
    std::size_t depth = 0;
    for (std::size_t i = 0; i < function.size(); ++i) {
        constexpr std::string_view sign = "operator";
        if (depth == 0 && function.compare(i, sign.size(), sign) == 0) {
            const std::size_t end = std::min(
                function.find_first_not_of("<>=-", i + sign.size()), function.size());
            words.append(function, i, end - i);
            i = end - 1;
        } else if (function[i] == '<') {
            if (depth++ == 0 && (words.empty() || words.ends_with("::"))) {
                words.append("lambda"); // <lambda(int)>, <lambda_1>: its place in the
                                        // source tells which
            }
        } else if (function[i] == '>' && depth != 0) {
            --depth;
        } else if (depth == 0) {
            words += function[i];
        }
    }
    return words;
}

// What DbgHelp knows of one address; its texts are cut where they would be longer.
struct symbol_buffer : SYMBOL_INFOW {
    symbol_buffer() : SYMBOL_INFOW{} {
        SizeOfStruct = sizeof(SYMBOL_INFOW);
        MaxNameLen = static_cast<ULONG>(std::size(more));
    }
    wchar_t more[512] = {};
};

// DbgHelp's functions for code that the compiler has put into its caller. Older headers and
// versions lack them.
struct inline_functions {
    DWORD(WINAPI* count)(HANDLE, DWORD64) = nullptr;
    BOOL(WINAPI* query)(HANDLE, DWORD64, DWORD, DWORD64, DWORD64, DWORD*, DWORD*) = nullptr;
    BOOL(WINAPI* symbol)(HANDLE, DWORD64, ULONG, DWORD64*, SYMBOL_INFOW*) = nullptr;
    BOOL(WINAPI* line)
    (HANDLE, DWORD64, ULONG, DWORD64, DWORD*, IMAGEHLP_LINEW64*) = nullptr;

    inline_functions() {
        find(count, "SymAddrIncludeInlineTrace");
        find(query, "SymQueryInlineTrace");
        find(symbol, "SymFromInlineContextW");
        find(line, "SymGetLineFromInlineContextW");
    }
    bool are_there() const {
        return count != nullptr && query != nullptr && symbol != nullptr && line != nullptr;
    }

private:
    template <class Function>
    static void find(Function& function, const char* name) {
        function = reinterpret_cast<Function>(reinterpret_cast<void*>(
            ::GetProcAddress(::GetModuleHandleW(L"dbghelp.dll"), name)));
    }
};

// One function that an address is in; a compiler may have put several into each other.
struct level {
    std::string function;
    std::string path; // of the source
    std::uint32_t line = 0;
};

std::string name_in(const symbol_buffer& symbol) {
    return readable(
        utf8({symbol.Name, std::min<std::size_t>(symbol.NameLen, std::size(symbol.more))}));
}

// The outermost function, in which all the others are.
level outermost(HANDLE process, DWORD64 address) {
    level found;
    symbol_buffer symbol;
    DWORD64 into_function = 0;
    if (!::SymFromAddrW(process, address, &into_function, &symbol)) {
        return found;
    }
    found.function = name_in(symbol);
    // The line that an address belongs to is the last one before it. Wine does not find one
    // where a function begins with code of another: then the next one.
    for (DWORD64 at = address; at < std::max(address + 1, symbol.Address + symbol.Size);
         ++at) {
        IMAGEHLP_LINEW64 line{};
        line.SizeOfStruct = sizeof line;
        DWORD into_line = 0;
        if (::SymGetLineFromAddrW64(process, at, &into_line, &line)) {
            found.path = utf8(line.FileName);
            found.line = line.LineNumber;
            break;
        }
    }
    return found;
}

// The innermost first; none where there are no symbols. Under Wine lines are exact only
// where nothing is optimised.
std::vector<level> levels_at(HANDLE process, DWORD64 address) {
    static const inline_functions functions;
    std::vector<level> found;
    DWORD context = 0;
    DWORD unused = 0;
    DWORD count = functions.are_there() ? functions.count(process, address) : 0;
    if (count != 0 &&
        !functions.query(process, address, 0, address, address, &context, &unused)) {
        count = 0;
    }
    for (; count != 0; --count, ++context) {
        symbol_buffer symbol;
        IMAGEHLP_LINEW64 line{};
        line.SizeOfStruct = sizeof line;
        DWORD64 into_function = 0;
        DWORD into_line = 0;
        if (functions.symbol(process, address, context, &into_function, &symbol) &&
            functions.line(process, address, context, 0, &into_line, &line)) {
            found.push_back({name_in(symbol), utf8(line.FileName), line.LineNumber});
        }
    }
    level last = outermost(process, address);
    if (!last.function.empty()) {
        found.push_back(std::move(last));
    }
    return found;
}

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
        // A handle of its own: the program may use DbgHelp, too, and there it is known by
        // its handle.
        if (!::DuplicateHandle(::GetCurrentProcess(), ::GetCurrentProcess(),
                               ::GetCurrentProcess(), &process_, 0, FALSE,
                               DUPLICATE_SAME_ACCESS)) {
            given_up_ = true;
            return false;
        }
        ::SymSetOptions(SYMOPT_LOAD_LINES | SYMOPT_UNDNAME | SYMOPT_FAIL_CRITICAL_ERRORS |
                        SYMOPT_NO_PROMPTS);
        // Not "invade": that would load the symbols of every module at once.
        given_up_ = ::SymInitializeW(process_, nullptr, FALSE) == FALSE;
    }
    return !given_up_;
}

const symbols::module& symbols::module_of(std::uintptr_t address) {
    MEMORY_BASIC_INFORMATION memory{};
    std::uintptr_t base = 0;
    if (::VirtualQuery(reinterpret_cast<const void*>(address), &memory, sizeof memory) !=
            0 &&
        memory.Type == MEM_IMAGE) {
        base = reinterpret_cast<std::uintptr_t>(memory.AllocationBase);
    }
    const auto known = std::find_if(modules_.begin(), modules_.end(),
                                    [base](const module& one) { return one.base == base; });
    if (known != modules_.end()) {
        return *known;
    }
    module fresh{.base = base, .name = "unknown"};
    if (base != 0) {
        const std::wstring path = path_of(reinterpret_cast<HMODULE>(base));
        fresh.name = utf8(base_name(path));
        fresh.foreign = is_the_systems(path) || fresh.name == "watch.dll";
        if (!fresh.foreign && start()) {
            // Without symbols it fails, or has nothing to say later on: the offset is left.
            ::SymLoadModuleExW(process_, nullptr, path.c_str(), nullptr, base, 0, nullptr,
                               0);
        }
    }
    return modules_.emplace_back(std::move(fresh));
}

std::vector<frame> symbols::frames(const call_stack& addresses) {
    std::vector<frame> found;
    for (void* const returns_to : addresses) {
        if (returns_to == nullptr) {
            break;
        }
        // The address is where the call returns to, which may be the next line: one byte
        // before it is inside the call.
        const std::uintptr_t address = reinterpret_cast<std::uintptr_t>(returns_to) - 1;
        const module& home = module_of(address);
        if (home.foreign) {
            continue;
        }
        // A function that tells the system nothing of its frame, as those of Go do not,
        // hides who has called it: what follows are other words of the stack.
        if (home.base == 0 && !found.empty()) {
            break;
        }
        std::vector<level> levels;
        if (home.base != 0 && start()) {
            levels = levels_at(process_, address);
        }
        if (!levels.empty() && is_one_of(levels.back().function, runtime_starts)) {
            break;
        }
        if (levels.empty() ||
            levels.back().path.empty()) { // no symbols, or those of an export
            levels.clear();
            found.push_back({.module = home.name, .offset = address + 1 - home.base});
        }
        for (const level& one : levels) {
            if (!has_one_of(one.path, watch_folders) &&
                !has_one_of(one.path, library_folders)) {
                found.push_back({.function = one.function,
                                 .file = std::string{base_name(one.path)},
                                 .line = one.line});
            }
            if (found.size() == most_frames || is_one_of(one.function, program_starts)) {
                return found;
            }
        }
        if (found.size() == most_frames) {
            break;
        }
    }
    return found;
}

} // namespace iocp::watch
