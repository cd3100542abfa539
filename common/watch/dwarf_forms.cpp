// The values of DWARF's attributes. Names and numbers are those of the standard, versions 4
// and 5: section 7.5.6 for forms, 2.17.3 and 7.25 for lists of ranges.

#include "common/watch/dwarf_forms.hpp"

namespace iocp::watch {
namespace {

using kind = dwarf_value::kind;

dwarf_value number(std::uint64_t value) {
    return {kind::number, value};
}

dwarf_value text_at(std::string_view section, std::uint64_t offset) {
    bytes table(section);
    table.go_to(offset);
    return {kind::text, 0, table.text()};
}

dwarf_value nothing(bytes& from, std::uint64_t skipped) {
    from.take(skipped);
    return {};
}

// One row of .debug_addr or .debug_str_offsets.
std::uint64_t row_of(std::string_view section, std::uint64_t base, std::uint64_t index,
                     std::size_t row_bytes) {
    bytes table(section);
    table.go_to(base);
    if (index > section.size()) {
        throw broken_table();
    }
    table.take(index * row_bytes);
    return table.number(row_bytes);
}

// Before version 5: pairs of offsets, until a pair of zeros. The largest number in the
// first place says that the second is what offsets are counted from now.
std::vector<address_range> list_of_pairs(bytes list, std::uint64_t base,
                                         std::size_t address_bytes) {
    const std::uint64_t largest = ~std::uint64_t{0} >> (64 - 8 * address_bytes);
    std::vector<address_range> found;
    for (;;) {
        const std::uint64_t begin = list.number(address_bytes);
        const std::uint64_t end = list.number(address_bytes);
        if (begin == 0 && end == 0) {
            return found;
        }
        if (begin == largest) {
            base = end;
        } else {
            found.push_back({base + begin, base + end});
        }
    }
}

// Since version 5: each entry says of what kind it is.
std::vector<address_range> list_of_entries(bytes list, std::uint64_t base,
                                           const dwarf_context& context,
                                           const dwarf_sections& sections) {
    const auto indexed = [&] {
        return row_of(sections.addr, context.addr_base, list.leb(), context.address_bytes);
    };
    std::vector<address_range> found;
    for (;;) {
        std::uint64_t begin = 0;
        switch (list.read<std::uint8_t>()) {
        case 0x00: // DW_RLE_end_of_list
            return found;
        case 0x01: // DW_RLE_base_addressx
            base = indexed();
            break;
        case 0x02: // DW_RLE_startx_endx
            begin = indexed();
            found.push_back({begin, indexed()});
            break;
        case 0x03: // DW_RLE_startx_length
            begin = indexed();
            found.push_back({begin, begin + list.leb()});
            break;
        case 0x04: // DW_RLE_offset_pair
            begin = list.leb();
            found.push_back({base + begin, base + list.leb()});
            break;
        case 0x05: // DW_RLE_base_address
            base = list.number(context.address_bytes);
            break;
        case 0x06: // DW_RLE_start_end
            begin = list.number(context.address_bytes);
            found.push_back({begin, list.number(context.address_bytes)});
            break;
        case 0x07: // DW_RLE_start_length
            begin = list.number(context.address_bytes);
            found.push_back({begin, begin + list.leb()});
            break;
        default:
            throw broken_table();
        }
    }
}

} // namespace

std::string_view read_unit(bytes& table, dwarf_context& context) {
    std::uint64_t length = table.number(4);
    context.offset_bytes = 4;
    if (length == 0xffff'ffff) {
        length = table.number(8);
        context.offset_bytes = 8;
    }
    return table.take(length);
}

dwarf_value read_value(bytes& from, std::uint64_t form, std::int64_t constant,
                       const dwarf_context& context, const dwarf_sections& sections) {
    switch (form) {
    case 0x01: // DW_FORM_addr
        return {kind::address, from.number(context.address_bytes)};
    case 0x03: // DW_FORM_block2
        return nothing(from, from.number(2));
    case 0x04: // DW_FORM_block4
        return nothing(from, from.number(4));
    case 0x05: // DW_FORM_data2
        return number(from.number(2));
    case 0x06: // DW_FORM_data4
        return number(from.number(4));
    case 0x07: // DW_FORM_data8
        return number(from.number(8));
    case 0x08: // DW_FORM_string
        return {kind::text, 0, from.text()};
    case 0x09: // DW_FORM_block
    case 0x18: // DW_FORM_exprloc
        return nothing(from, from.leb());
    case 0x0a: // DW_FORM_block1
        return nothing(from, from.number(1));
    case 0x0b: // DW_FORM_data1
    case 0x0c: // DW_FORM_flag
        return number(from.number(1));
    case 0x0d: // DW_FORM_sdata
        return number(static_cast<std::uint64_t>(from.signed_leb()));
    case 0x0e: // DW_FORM_strp
        return text_at(sections.str, from.number(context.offset_bytes));
    case 0x0f: // DW_FORM_udata
        return number(from.leb());
    case 0x10: // DW_FORM_ref_addr
        return {kind::reference, from.number(context.offset_bytes)};
    case 0x11: // DW_FORM_ref1
        return {kind::reference, context.begin + from.number(1)};
    case 0x12: // DW_FORM_ref2
        return {kind::reference, context.begin + from.number(2)};
    case 0x13: // DW_FORM_ref4
        return {kind::reference, context.begin + from.number(4)};
    case 0x14: // DW_FORM_ref8
        return {kind::reference, context.begin + from.number(8)};
    case 0x15: // DW_FORM_ref_udata
        return {kind::reference, context.begin + from.leb()};
    case 0x17: // DW_FORM_sec_offset
        return number(from.number(context.offset_bytes));
    case 0x19: // DW_FORM_flag_present
        return number(1);
    case 0x1a: // DW_FORM_strx
        return {kind::text_index, from.leb()};
    case 0x1b: // DW_FORM_addrx
        return {kind::address_index, from.leb()};
    case 0x1e: // DW_FORM_data16
        return nothing(from, 16);
    case 0x1f: // DW_FORM_line_strp
        return text_at(sections.line_str, from.number(context.offset_bytes));
    case 0x20: // DW_FORM_ref_sig8
        return nothing(from, 8);
    case 0x21: // DW_FORM_implicit_const
        return number(static_cast<std::uint64_t>(constant));
    case 0x22: // DW_FORM_loclistx
        from.leb();
        return {};
    case 0x23: // DW_FORM_rnglistx
        return {kind::list_index, from.leb()};
    case 0x25: // DW_FORM_strx1 to strx4
    case 0x26:
    case 0x27:
    case 0x28:
        return {kind::text_index, from.number(static_cast<std::size_t>(form - 0x24))};
    case 0x29: // DW_FORM_addrx1 to addrx4
    case 0x2a:
    case 0x2b:
    case 0x2c:
        return {kind::address_index, from.number(static_cast<std::size_t>(form - 0x28))};
    default: // what follows cannot be read without knowing how long this is
        throw broken_table();
    }
}

std::string_view text_of(const dwarf_value& value, const dwarf_context& context,
                         const dwarf_sections& sections) {
    if (value.what != kind::text_index) {
        return value.text;
    }
    return text_at(sections.str, row_of(sections.str_offsets, context.str_offsets_base,
                                        value.number, context.offset_bytes))
        .text;
}

std::uint64_t address_of(const dwarf_value& value, const dwarf_context& context,
                         const dwarf_sections& sections) {
    return value.what == kind::address_index ? row_of(sections.addr, context.addr_base,
                                                      value.number, context.address_bytes)
                                             : value.number;
}

std::vector<address_range> ranges_of(const dwarf_value& low, const dwarf_value& high,
                                     const dwarf_value& ranges, std::uint64_t base,
                                     const dwarf_context& context,
                                     const dwarf_sections& sections) {
    if (!ranges) {
        if (!low || !high) {
            return {};
        }
        const std::uint64_t begin = address_of(low, context, sections);
        const std::uint64_t end = address_of(high, context, sections);
        return {{begin, high.what == kind::number ? begin + end : end}};
    }
    bytes list(context.version < 5 ? sections.ranges : sections.rnglists);
    list.go_to(ranges.what == kind::list_index
                   ? context.rnglists_base + row_of(sections.rnglists,
                                                    context.rnglists_base, ranges.number,
                                                    context.offset_bytes)
                   : ranges.number);
    return context.version < 5 ? list_of_pairs(list, base, context.address_bytes)
                               : list_of_entries(list, base, context, sections);
}

} // namespace iocp::watch
