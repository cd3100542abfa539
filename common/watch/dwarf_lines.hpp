#pragma once

#include "common/watch/dwarf_forms.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace iocp::watch {

/// A line in a source file; 0 is none.
struct source_line {
    std::string path;
    std::uint32_t line = 0;
};

/// The table that a compiler leaves of which address belongs to which line, for one unit.
class line_table {
public:
    /// Without lines and files.
    line_table() = default;

    /// \param offset where it begins in its section
    /// \param unit of the unit that it belongs to
    /// \param folder in which the compiler was called
    /// \throws broken_table
    line_table(const dwarf_sections& sections, std::uint64_t offset,
               const dwarf_context& unit, std::string_view folder);

    source_line at(std::uint64_t address) const;

    /// \return the path of the file that has this number; empty when none has
    std::string file(std::uint64_t number) const;

private:
    struct row {
        std::uint64_t address = 0;
        std::uint64_t file = 0;
        std::uint64_t line = 0;
    };
    // Rows whose addresses grow, up to `end`.
    struct sequence {
        std::uint64_t end = 0;
        std::vector<row> rows;
    };
    struct listed {
        std::string_view name;
        std::uint64_t folder = 0;
    };
    struct header;

    void read_names(bytes& table, const dwarf_context& unit,
                    const dwarf_sections& sections);
    void run(bytes& program, const header& how);

    std::string base_;
    std::vector<std::string_view> folders_;
    std::vector<listed> files_;
    std::vector<sequence> sequences_;
};

} // namespace iocp::watch
