#pragma once

#include "common/watch/check.hpp"
#include "common/watch/debug_file.hpp"
#include "common/watch/dwarf.hpp"
#include "common/watch/level.hpp"
#include "common/watch/pdb_symbols.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace iocp::watch {

/// One call of a call stack, as people know it.
struct frame {
    std::string function{}; ///< with its namespaces; empty where there are no symbols
    std::string file{};     ///< base name; empty where no line is known for sure
    std::uint32_t line = 0;
    std::string module{}; ///< base name; only without a line
    std::uint64_t offset = 0;
};

/// Where an address belongs, for people: `read_again at main.cpp:57`, without a line
/// `read_again in program.exe`, or `program.exe+0x1f3c` without symbols.
std::string words(const frame& one);

/// Puts addresses into words: with the watch's own reader of DWARF where a module has
/// that, and with DbgHelp where it has a .pdb file.
///
/// One thread at a time, and none that holds a lock which the program's calls need: files
/// are read, and DbgHelp may wait for the loader's lock; so nobody who holds that may wait
/// for an answer without a bound.
class symbols {
public:
    /// \return the program's own part of a call stack up to main, the innermost first: four
    /// calls, or as many as it takes to come to the reader's own code. The watch's calls,
    /// those of the system's modules and those inside the C++ library are left out.
    std::vector<frame> frames(const call_stack& addresses);

    /// From now on nothing is looked up: another thread ended while it was at it. Modules
    /// and offsets are left.
    void give_up();

private:
    struct module {
        std::uintptr_t base = 0;
        std::uint64_t stamp = 0; ///< another module may come to the same place
        std::string name;        ///< base name
        std::wstring path;
        bool foreign = false; ///< the system's, or the watch's own
        bool asked_for_pdb = false;
        bool in_pdb = false;
        std::unique_ptr<debug_file> file;
        std::unique_ptr<dwarf> tables;
        std::unordered_map<std::uintptr_t, std::vector<level>> known;
    };

    module& module_of(std::uintptr_t address);
    const std::vector<level>& levels_at(module& home, std::uintptr_t address);
    std::vector<level> look_up(module& home, std::uintptr_t address);

    std::vector<std::unique_ptr<module>> modules_;
    pdb_symbols pdb_;
    bool given_up_ = false;
};

} // namespace iocp::watch
