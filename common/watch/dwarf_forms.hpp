#pragma once

#include "common/watch/bytes.hpp"
#include "common/watch/debug_file.hpp"

#include <cstdint>
#include <string_view>
#include <vector>

namespace iocp::watch {

/// What values depend on in the part of a table that they are in.
struct dwarf_context {
    unsigned version = 0;
    std::size_t offset_bytes = 4; ///< of an offset into a section
    std::size_t address_bytes = 8;
    std::uint64_t begin = 0; ///< of the unit in .debug_info: references count from here
    std::uint64_t str_offsets_base = 0;
    std::uint64_t addr_base = 0;
    std::uint64_t rnglists_base = 0;
};

/// Begins to read a unit of any table: its length.
/// \return the bytes of the unit after its length
std::string_view read_unit(bytes& table, dwarf_context& context);

/// The value of an attribute.
struct dwarf_value {
    enum class kind {
        none,          ///< of no use here: a block, a signature
        number,        ///< also an offset
        address,       ///<
        address_index, ///< a place in .debug_addr
        text,          ///<
        text_index,    ///< a place in .debug_str_offsets
        reference,     ///< to an entry: an offset into .debug_info
        list_index     ///< a place in .debug_rnglists
    };
    kind what = kind::none;
    std::uint64_t number = 0;
    std::string_view text{};

    explicit operator bool() const { return what != kind::none; }
};

/// \param form how the value is written
/// \param constant the value itself, where the form says that it is not there
/// \throws broken_table
dwarf_value read_value(bytes& from, std::uint64_t form, std::int64_t constant,
                       const dwarf_context& context, const dwarf_sections& sections);

// A value that is the number of a place in a table can be looked up only when the whole
// entry of its unit has been read: the table's begin stands there.

/// \throws broken_table
std::string_view text_of(const dwarf_value& value, const dwarf_context& context,
                         const dwarf_sections& sections);
/// \throws broken_table
std::uint64_t address_of(const dwarf_value& value, const dwarf_context& context,
                         const dwarf_sections& sections);

/// Addresses that belong to something: from `begin` to before `end`.
struct address_range {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;

    bool contains(std::uint64_t address) const { return begin <= address && address < end; }
};

/// What DW_AT_low_pc, DW_AT_high_pc and DW_AT_ranges say together.
/// \param base what offsets in a list are counted from: where the unit begins
/// \throws broken_table
std::vector<address_range> ranges_of(const dwarf_value& low, const dwarf_value& high,
                                     const dwarf_value& ranges, std::uint64_t base,
                                     const dwarf_context& context,
                                     const dwarf_sections& sections);

} // namespace iocp::watch
