#pragma once

#include <winsock2.h>

#include <windows.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace iocp::watch {

/// The sections of a file in which GCC and clang leave what debuggers want to know, in the
/// format DWARF. Empty ones are not there.
struct dwarf_sections {
    std::string_view info;        ///< functions and what encloses them
    std::string_view abbrev;      ///< how the entries of `info` look
    std::string_view line;        ///< which address belongs to which line
    std::string_view str;         ///< texts
    std::string_view line_str;    ///< texts, of lines (since version 5, as what follows)
    std::string_view str_offsets; ///< where texts are, by number
    std::string_view addr;        ///< addresses, by number
    std::string_view ranges;      ///< ranges of addresses (before version 5)
    std::string_view rnglists;    ///< the same, since version 5
};

/// The file that a module was loaded from, mapped as it is on the disk.
class debug_file {
public:
    /// Without the file, or with another one than the one that was loaded, everything is
    /// empty.
    debug_file(const std::wstring& path, const void* base);
    ~debug_file();

    debug_file(const debug_file&) = delete;
    debug_file& operator=(const debug_file&) = delete;

    const dwarf_sections& sections() const { return sections_; }

    /// Where the module would be if nothing else was there; the addresses in its tables are
    /// made for that.
    std::uint64_t preferred_base() const { return preferred_base_; }

    /// Whether it says that what debuggers want to know is in a .pdb file.
    bool names_pdb() const { return names_pdb_; }

    /// \return the name, as the linker knows it, of the function that begins at this
    /// offset; empty when nobody wrote it down
    std::string_view function_at(std::uint32_t offset) const;

private:
    void read(const void* base);
    void look_for_pdb(const IMAGE_DATA_DIRECTORY& directory);
    std::string_view name_of(const IMAGE_SECTION_HEADER& section) const;
    std::string_view symbol_name(std::string_view short_name) const;

    std::string_view all_;
    std::uint64_t preferred_base_ = 0;
    bool names_pdb_ = false;
    std::vector<IMAGE_SECTION_HEADER> headers_;
    std::string_view symbols_;
    std::string_view strings_; ///< names that are longer than eight characters
    dwarf_sections sections_;
};

} // namespace iocp::watch
