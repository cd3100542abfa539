#pragma once

#include "common/watch/check.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace iocp::watch {

/// One call of a call stack, as people know it.
struct frame {
    std::string function{}; ///< with its namespaces; empty where there are no symbols
    std::string file{};     ///< base name
    std::uint32_t line = 0;
    std::string module{}; ///< base name; only without symbols
    std::uint64_t offset = 0;
};

/// Where an address belongs, for people: `read_again at main.cpp:57`, or
/// `program.exe+0x1f3c` without symbols.
std::string words(const frame& one);

/// Looks addresses up with DbgHelp.
///
/// One thread at a time: DbgHelp is not made for more. A module's symbols are loaded when
/// an address in it is first asked for, which may wait for the loader's lock; so nobody who
/// holds that may wait for an answer without a bound.
class symbols {
public:
    symbols() = default;
    ~symbols();

    symbols(const symbols&) = delete;
    symbols& operator=(const symbols&) = delete;

    /// \return the program's own part of a call stack, at most four calls up to main, the
    /// innermost first. The watch's calls, those of the system's modules and those inside
    /// the C++ library are left out.
    std::vector<frame> frames(const call_stack& addresses);

    /// From now on DbgHelp is not asked: another thread ended while it was inside. Modules
    /// and offsets are left.
    void give_up() { given_up_ = true; }

private:
    struct module {
        std::uintptr_t base = 0;
        std::string name;     ///< base name
        bool foreign = false; ///< the system's, or the watch's own
    };

    const module& module_of(std::uintptr_t address);
    bool start();

    std::vector<module> modules_;
    void* process_ = nullptr; ///< what DbgHelp knows this user of it by
    bool given_up_ = false;
};

} // namespace iocp::watch
