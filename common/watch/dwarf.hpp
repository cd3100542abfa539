#pragma once

#include "common/watch/debug_file.hpp"
#include "common/watch/dwarf_forms.hpp"
#include "common/watch/dwarf_lines.hpp"
#include "common/watch/level.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace iocp::watch {

/// Reads what GCC and clang leave in the format DWARF, versions 4 and 5: in which functions
/// an address is, and in which line.
///
/// It may be wrong in nothing: where tables are damaged or contradict each other, it says
/// less.
class dwarf {
public:
    /// \param sections have to stay as long as this
    explicit dwarf(const dwarf_sections& sections);

    /// \param address as the tables have it
    ///
    /// \return the functions that it is in, the innermost first; none where no table tells
    std::vector<level> at(std::uint64_t address);

private:
    struct attribute {
        std::uint64_t name = 0;
        std::uint64_t form = 0;
        std::int64_t constant = 0;
    };
    /// How an entry looks.
    struct abbreviation {
        std::uint64_t tag = 0;
        bool has_children = false;
        std::vector<attribute> attributes;
    };
    /// An entry that counts: a function, or what encloses functions.
    struct entry {
        std::uint64_t offset = 0;
        std::uint64_t tag = 0;
        std::size_t parent = 0; ///< in the unit's entries
    };
    struct code_range {
        address_range addresses;
        std::size_t function = 0; ///< in the unit's entries
    };
    /// What was compiled at once.
    struct unit {
        dwarf_context context;
        std::uint64_t end = 0;     ///< in .debug_info
        std::uint64_t entries = 0; ///< where the first entry begins there
        std::unordered_map<std::uint64_t, abbreviation> abbreviations;
        std::string_view folder;
        std::uint64_t base = 0;
        std::optional<std::uint64_t> lines_at;
        std::vector<address_range> addresses;
        // From here on: when they are first asked for.
        bool loaded = false;
        std::vector<entry> all; ///< by their offsets
        std::vector<code_range> functions;
        line_table lines;
    };
    /// The attributes that count of one entry.
    struct attributes;
    /// What is known of a function or of a namespace or class.
    struct known;

    void read_unit_header(bytes& table);
    void read_abbreviations(unit& one, std::uint64_t offset);
    const abbreviation* read_entry(bytes& from, const unit& one, attributes& found) const;
    void load(unit& one);
    void read_functions(unit& one) const;
    unit* unit_of(std::uint64_t offset);
    std::size_t entry_at(const unit& one, std::uint64_t offset) const;
    known describe(unit& one, std::size_t index);
    std::string name_of(unit& one, std::size_t index, unsigned depth);
    std::vector<level> levels(unit& one, std::uint64_t address);

    dwarf_sections sections_;
    std::vector<unit> units_;
};

} // namespace iocp::watch
