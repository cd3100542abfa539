// DWARF's table of lines: a small program whose run makes the rows. Names and numbers are
// those of the standard, section 6.2.

#include "common/watch/dwarf_lines.hpp"

#include <algorithm>
#include <utility>

namespace iocp::watch {
namespace {

bool is_whole(std::string_view path) {
    return path.starts_with('/') || path.starts_with('\\') ||
           (path.size() > 1 && path[1] == ':');
}

std::string joined(std::string_view folder, std::string_view path) {
    if (is_whole(path) || folder.empty()) {
        return std::string{path};
    }
    if (path.empty()) {
        return std::string{folder};
    }
    return std::string{folder}.append("/").append(path);
}

} // namespace

struct line_table::header {
    std::uint8_t shortest_instruction = 1;
    std::int8_t line_base = 0;
    std::uint8_t line_range = 1;
    std::uint8_t first_special = 1;
    std::string_view operands; // how many each standard opcode has
    std::size_t address_bytes = 8;
};

line_table::line_table(const dwarf_sections& sections, std::uint64_t offset,
                       const dwarf_context& unit, std::string_view folder)
    : base_(folder) {
    dwarf_context own = unit;
    bytes section(sections.line);
    section.go_to(offset);
    bytes table(read_unit(section, own));
    own.version = table.read<std::uint16_t>();
    if (own.version < 2 || own.version > 5) {
        throw broken_table();
    }
    if (own.version == 5) {
        table.take(2); // bytes of an address, as in the unit, and of a segment selector
    }
    const std::uint64_t header_bytes = table.number(own.offset_bytes);
    const std::uint64_t program = table.at() + header_bytes;
    header how;
    how.address_bytes = own.address_bytes;
    how.shortest_instruction = table.read<std::uint8_t>();
    if (own.version >= 4) {
        table.take(1); // operations in an instruction, which is for other processors
    }
    table.take(1); // whether a row is a good place for a breakpoint
    how.line_base = table.read<std::int8_t>();
    how.line_range = table.read<std::uint8_t>();
    how.first_special = table.read<std::uint8_t>();
    if (how.line_range == 0 || how.first_special == 0) {
        throw broken_table();
    }
    how.operands = table.take(how.first_special - 1U);
    read_names(table, own, sections);
    table.go_to(program);
    run(table, how);
}

void line_table::read_names(bytes& table, const dwarf_context& unit,
                            const dwarf_sections& sections) {
    if (unit.version < 5) {
        folders_.emplace_back(); // the first is that of the unit
        for (std::string_view one = table.text(); !one.empty(); one = table.text()) {
            folders_.push_back(one);
        }
        files_.emplace_back(); // they are counted from 1
        for (std::string_view one = table.text(); !one.empty(); one = table.text()) {
            files_.push_back({one, table.leb()});
            table.leb(); // when it was changed
            table.leb(); // its size
        }
        return;
    }
    // Both lists begin with what an entry has.
    const auto read_list = [&](auto add) {
        std::vector<std::pair<std::uint64_t, std::uint64_t>> columns;
        for (auto left = table.read<std::uint8_t>(); left != 0; --left) {
            const std::uint64_t content = table.leb();
            columns.emplace_back(content, table.leb());
        }
        if (columns.empty()) {
            return;
        }
        const std::uint64_t count = table.leb();
        if (count > table.left()) { // an entry has a byte at the least
            throw broken_table();
        }
        for (std::uint64_t i = 0; i < count; ++i) {
            listed one;
            for (const auto& [content, form] : columns) {
                const dwarf_value value = read_value(table, form, 0, unit, sections);
                if (content == 1) { // DW_LNCT_path
                    one.name = text_of(value, unit, sections);
                } else if (content == 2) { // DW_LNCT_directory_index
                    one.folder = value.number;
                }
            }
            add(one);
        }
    };
    read_list([this](const listed& one) { folders_.push_back(one.name); });
    read_list([this](const listed& one) { files_.push_back(one); });
}

void line_table::run(bytes& program, const header& how) {
    row now{.file = 1, .line = 1};
    sequence rows;
    const auto add_row = [&] {
        // Of several rows for an address the last one counts.
        if (!rows.rows.empty() && rows.rows.back().address == now.address) {
            rows.rows.back() = now;
        } else {
            rows.rows.push_back(now);
        }
    };
    const auto advance = [&](std::uint64_t instructions) {
        now.address += instructions * how.shortest_instruction;
    };
    while (!program.at_end()) {
        const auto code = program.read<std::uint8_t>();
        if (code >= how.first_special) {
            const unsigned both = code - how.first_special;
            advance(both / how.line_range);
            now.line += static_cast<std::uint64_t>(how.line_base +
                                                   static_cast<int>(both % how.line_range));
            add_row();
            continue;
        }
        switch (code) {
        case 0: { // an extended one, which says how long it is
            bytes operands(program.take(program.leb()));
            const auto extended = operands.read<std::uint8_t>();
            if (extended == 1) { // DW_LNE_end_sequence
                rows.end = now.address;
                sequences_.push_back(std::exchange(rows, {}));
                now = {.file = 1, .line = 1};
            } else if (extended == 2) { // DW_LNE_set_address
                now.address = operands.number(how.address_bytes);
            }
            break;
        }
        case 1: // DW_LNS_copy
            add_row();
            break;
        case 2: // DW_LNS_advance_pc
            advance(program.leb());
            break;
        case 3: // DW_LNS_advance_line
            now.line += static_cast<std::uint64_t>(program.signed_leb());
            break;
        case 4: // DW_LNS_set_file
            now.file = program.leb();
            break;
        case 8: // DW_LNS_const_add_pc
            advance((255U - how.first_special) / how.line_range);
            break;
        case 9: // DW_LNS_fixed_advance_pc
            now.address += program.read<std::uint16_t>();
            break;
        default: // of no use here: columns, ends of prologues, and what is not known
            for (char left = how.operands[code - 1U]; left > 0; --left) {
                program.leb();
            }
        }
    }
}

source_line line_table::at(std::uint64_t address) const {
    for (const sequence& one : sequences_) {
        if (one.rows.empty() || address < one.rows.front().address || address >= one.end) {
            continue;
        }
        const auto next = std::upper_bound(
            one.rows.begin(), one.rows.end(), address,
            [](std::uint64_t wanted, const row& its) { return wanted < its.address; });
        if (next != one.rows.begin()) {
            const row& its = *std::prev(next);
            return {file(its.file), static_cast<std::uint32_t>(its.line)};
        }
    }
    return {};
}

std::string line_table::file(std::uint64_t number) const {
    if (number >= files_.size() || files_[number].name.empty()) {
        return {};
    }
    const listed& one = files_[number];
    const std::string_view folder =
        one.folder < folders_.size() ? folders_[one.folder] : std::string_view{};
    return joined(joined(base_, folder), one.name);
}

} // namespace iocp::watch
