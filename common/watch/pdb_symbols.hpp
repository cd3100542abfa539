#pragma once

#include "common/watch/level.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace iocp::watch {

/// Looks addresses up with DbgHelp, which reads what Microsoft's compilers leave in .pdb
/// files.
///
/// One thread at a time: DbgHelp is not made for more. To load a module's symbols may wait
/// for the loader's lock.
class pdb_symbols {
public:
    pdb_symbols() = default;
    ~pdb_symbols();

    pdb_symbols(const pdb_symbols&) = delete;
    pdb_symbols& operator=(const pdb_symbols&) = delete;

    /// \return whether there are symbols for this module
    bool load(const std::wstring& path, std::uintptr_t base);

    /// \return the functions that an address in a loaded module is in, the innermost first
    std::vector<level> at(std::uintptr_t address) const;

    /// From now on DbgHelp is not asked: another thread ended while it was inside.
    void give_up() { given_up_ = true; }

private:
    bool start();

    void* process_ = nullptr; ///< what DbgHelp knows this user of it by
    bool given_up_ = false;
};

} // namespace iocp::watch
