#include "common/watch/symbols.hpp"

#include "common/watch/bytes.hpp"
#include "common/watch/digits.hpp"
#include "common/watch/function_names.hpp"
#include "common/watch/guarded_read.hpp"
#include "common/watch/modules.hpp"

#include <winsock2.h>

#include <windows.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string_view>
#include <utility>

namespace iocp::watch {
namespace {

// So many are enough, once the reader's own code is among them.
constexpr std::size_t enough_frames = 4;

// What is below these in a stack is not the program's: how it, or its thread, was started.
constexpr std::string_view program_starts[] = {"main", "wmain", "WinMain", "wWinMain"};
constexpr std::string_view runtime_starts[] = {
    "__tmainCRTStartup",     "mainCRTStartup",         "wmainCRTStartup",
    "WinMainCRTStartup",     "wWinMainCRTStartup",     "invoke_main",
    "__scrt_common_main",    "__scrt_common_main_seh", "execute_native_thread_routine",
    "pthread_create_wrapper"};

// Functions of the C++ library that a call goes through, say from std::thread to the
// thread's own function, and the runtimes that compilers link to a program.
constexpr std::string_view library_folders[] = {
    "/include/c++/",   "\\include\\c++\\", "/c++/v1/",          "\\VC\\Tools\\MSVC\\",
    "/VC/Tools/MSVC/", "\\vctools\\crt\\", "minkernel\\crts\\", "/libstdc++-v3/",
    "/libgcc/",        "mingw-w64-crt/",   "/winpthreads/"};
constexpr std::string_view watch_folders[] = {"common/watch/", "common\\watch\\",
                                              "common/watch\\", "common\\watch/"};

// Libraries that come as sources: they are shown, and they are not the reader's own code.
constexpr std::string_view folders_of_others[] = {
    "/usr/include/",     "/usr/share/",         "/usr/local/include/",
    "/vcpkg_installed/", "\\vcpkg_installed\\", "/_deps/",
    "\\_deps\\"};

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

bool is_left_out(const level& one) {
    return has_one_of(one.path, watch_folders) || has_one_of(one.path, library_folders) ||
           is_of_library(one.function) || is_thunk(one.function);
}

// What tells a module from another one at the same place; 0 where nothing is.
std::uint64_t stamp_of(std::uintptr_t base) {
    const auto* const begin = reinterpret_cast<const char*>(base);
    const auto dos = guarded_read(reinterpret_cast<const IMAGE_DOS_HEADER*>(begin));
    const auto header = dos ? guarded_read(reinterpret_cast<const IMAGE_NT_HEADERS64*>(
                                  begin + dos->e_lfanew))
                            : std::nullopt;
    return header
               ? std::uint64_t{header->FileHeader.TimeDateStamp} << 32 |
                     (header->OptionalHeader.CheckSum ^ header->OptionalHeader.SizeOfImage)
               : 0;
}

std::uintptr_t base_of(std::uintptr_t address) {
    MEMORY_BASIC_INFORMATION memory{};
    return ::VirtualQuery(reinterpret_cast<const void*>(address), &memory, sizeof memory) !=
                       0 &&
                   memory.Type == MEM_IMAGE
               ? reinterpret_cast<std::uintptr_t>(memory.AllocationBase)
               : 0;
}

bool is_the_program(std::uintptr_t base) {
    return reinterpret_cast<HMODULE>(base) == ::GetModuleHandleW(nullptr);
}

} // namespace

std::string words(const frame& one) {
    if (!one.file.empty()) {
        return one.function + " at " + one.file + ":" + std::to_string(one.line);
    }
    if (!one.function.empty()) {
        return one.function + " in " + one.module;
    }
    return one.module + "+" + hexadecimal(one.offset);
}

void symbols::give_up() {
    given_up_ = true;
    pdb_.give_up();
    // They may be in pieces, so they are not touched again.
    new std::vector<std::unique_ptr<module>>(std::move(modules_));
}

symbols::module& symbols::module_of(std::uintptr_t address) {
    const std::uintptr_t base = base_of(address);
    const std::uint64_t stamp = base == 0 ? 0 : stamp_of(base);
    const auto known = std::find_if(modules_.begin(), modules_.end(), [&](const auto& one) {
        return one->base == base && one->stamp == stamp;
    });
    if (known != modules_.end()) {
        return **known;
    }
    auto fresh = std::make_unique<module>();
    fresh->base = base;
    fresh->stamp = stamp;
    fresh->name = "unknown";
    if (base != 0) {
        fresh->path = path_of(reinterpret_cast<HMODULE>(base));
        fresh->name = utf8(base_name(fresh->path));
        fresh->foreign = is_the_systems(fresh->path) || fresh->name == "watch.dll";
    }
    return *modules_.emplace_back(std::move(fresh));
}

std::vector<level> symbols::look_up(module& home, std::uintptr_t address) {
    if (home.file == nullptr) {
        home.file = std::make_unique<debug_file>(home.path,
                                                 reinterpret_cast<const void*>(home.base));
        if (!home.file->sections().info.empty()) {
            home.tables = std::make_unique<dwarf>(home.file->sections());
        }
        if (home.file->names_pdb() && !std::exchange(home.asked_for_pdb, true)) {
            home.in_pdb = pdb_.load(home.path, home.base);
        }
    }
    std::vector<level> found;
    if (home.tables != nullptr) {
        found = home.tables->at(address - home.base + home.file->preferred_base());
    }
    if (found.empty() && home.in_pdb) {
        found = pdb_.at(address);
    }
    if (!found.empty() && !found.back().function.empty()) {
        return found;
    }
    // Or the linker's name of a function, where one begins at the address at which the
    // system knows that one begins.
    DWORD64 base = 0;
    const RUNTIME_FUNCTION* const function =
        ::RtlLookupFunctionEntry(address, &base, nullptr);
    if (function != nullptr && base == home.base) {
        const std::string_view name = home.file->function_at(function->BeginAddress);
        if (!name.empty() && found.empty()) {
            found.emplace_back();
        }
        if (!name.empty()) {
            found.back().function = of_linker(name);
        }
    }
    return found;
}

const std::vector<level>& symbols::levels_at(module& home, std::uintptr_t address) {
    const auto [its, is_new] = home.known.try_emplace(address);
    if (is_new && home.base != 0 && !given_up_) {
        its->second = look_up(home, address);
    }
    return its->second;
}

std::vector<frame> symbols::frames(const call_stack& addresses) {
    std::vector<frame> found;
    bool own = false; // the reader's own code is among them
    frame around; // where only the linker's names are left, and that one is the library's
    const auto has_enough = [&] { return own && found.size() >= enough_frames; };
    bool at_start = false;
    for (void* const returns_to : addresses) {
        if (returns_to == nullptr || at_start || has_enough()) {
            break;
        }
        // The address is where the call returns to, which may be the next line: one byte
        // before it is inside the call.
        const std::uintptr_t address = reinterpret_cast<std::uintptr_t>(returns_to) - 1;
        module& home = module_of(address);
        if (home.foreign) {
            continue;
        }
        // A function that tells the system nothing of its frame, as those of Go do not,
        // hides who has called it: what follows are other words of the stack.
        if (home.base == 0 && !found.empty()) {
            break;
        }
        const std::vector<level>& levels = levels_at(home, address);
        if (levels.empty()) {
            found.push_back({.module = home.name, .offset = address + 1 - home.base});
            continue;
        }
        if (is_one_of(levels.back().function, runtime_starts)) {
            break;
        }
        for (const level& one : levels) {
            at_start = at_start || is_one_of(one.function, program_starts);
            if (one.path.empty() && around.function.empty()) {
                around = {.function = one.function,
                          .module = home.name,
                          .offset = address + 1 - home.base};
            }
            if (is_left_out(one) || has_enough()) {
                continue;
            }
            own = own || (!one.path.empty() && !has_one_of(one.path, folders_of_others));
            frame& next = found.emplace_back();
            next.function = one.function;
            if (one.line != 0) {
                next.file = base_name(one.path);
                next.line = one.line;
            } else {
                next.module = home.name;
                next.offset = address + 1 - home.base;
            }
        }
    }
    if (!own && found.size() > enough_frames) {
        found.resize(enough_frames);
    }
    if (found.empty() && !around.function.empty()) {
        found.push_back(std::move(around));
    }
    // A file that is mapped can be neither changed nor deleted. Nobody could do that to the
    // program's own while it runs; but a DLL may be gone by now, and its file with it.
    for (const auto& one : modules_) {
        if (one->file != nullptr && !is_the_program(one->base)) {
            one->tables.reset();
            one->file.reset();
        }
    }
    return found;
}

} // namespace iocp::watch
