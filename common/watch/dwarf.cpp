// DWARF's tree of functions and what encloses them. Names and numbers are those of the
// standard, versions 4 and 5: section 7.5.

#include "common/watch/dwarf.hpp"

#include "common/watch/function_names.hpp"

#include <algorithm>
#include <utility>

namespace iocp::watch {
namespace {

namespace tag {
constexpr std::uint64_t class_type = 0x02;
constexpr std::uint64_t structure_type = 0x13;
constexpr std::uint64_t union_type = 0x17;
constexpr std::uint64_t inlined_subroutine = 0x1d;
constexpr std::uint64_t subprogram = 0x2e;
constexpr std::uint64_t name_space = 0x39;
} // namespace tag

namespace unit_type {
constexpr std::uint8_t compile = 1;
constexpr std::uint8_t partial = 3;
} // namespace unit_type

constexpr std::size_t none = ~std::size_t{0};
// More than this around a function, or from one entry to the next that knows more of it,
// and the table is damaged.
constexpr unsigned deep_enough = 64;

bool is_function(std::uint64_t its) {
    return its == tag::subprogram || its == tag::inlined_subroutine;
}

bool counts(std::uint64_t its) {
    return is_function(its) || its == tag::name_space || its == tag::class_type ||
           its == tag::structure_type || its == tag::union_type;
}

} // namespace

struct dwarf::attributes {
    dwarf_value name;
    dwarf_value folder;
    dwarf_value lines;
    dwarf_value low;
    dwarf_value high;
    dwarf_value ranges;
    dwarf_value origin;        // of this copy of a function
    dwarf_value specification; // of the declaration that this is the definition of
    dwarf_value file;
    dwarf_value line;
    dwarf_value call_file;
    dwarf_value call_line;
    dwarf_value str_offsets_base;
    dwarf_value addr_base;
    dwarf_value rnglists_base;

    // Null for an attribute that does not count.
    dwarf_value* of(std::uint64_t attribute) {
        switch (attribute) {
        case 0x03: // DW_AT_name
            return &name;
        case 0x10: // DW_AT_stmt_list
            return &lines;
        case 0x11: // DW_AT_low_pc
            return &low;
        case 0x12: // DW_AT_high_pc
            return &high;
        case 0x1b: // DW_AT_comp_dir
            return &folder;
        case 0x31: // DW_AT_abstract_origin
            return &origin;
        case 0x3a: // DW_AT_decl_file
            return &file;
        case 0x3b: // DW_AT_decl_line
            return &line;
        case 0x47: // DW_AT_specification
            return &specification;
        case 0x55: // DW_AT_ranges
            return &ranges;
        case 0x58: // DW_AT_call_file
            return &call_file;
        case 0x59: // DW_AT_call_line
            return &call_line;
        case 0x72: // DW_AT_str_offsets_base
            return &str_offsets_base;
        case 0x73: // DW_AT_addr_base
            return &addr_base;
        case 0x74: // DW_AT_rnglists_base
            return &rnglists_base;
        default:
            return nullptr;
        }
    }
};

struct dwarf::known {
    std::string_view name;
    source_line declared;
    unit* home = nullptr;      // of what encloses it
    std::size_t around = none; // in that unit's entries
};

dwarf::dwarf(const dwarf_sections& sections) : sections_(sections) {
    bytes table(sections_.info);
    try {
        while (!table.at_end()) {
            read_unit_header(table);
        }
    } catch (const broken_table&) { // what was read before it is as it was
    }
}

void dwarf::read_unit_header(bytes& table) {
    unit one;
    one.context.begin = table.at();
    const std::string_view rest = read_unit(table, one.context);
    one.end = table.at();
    bytes header(rest);
    one.context.version = header.read<std::uint16_t>();
    std::uint8_t type = unit_type::compile;
    std::uint64_t abbreviations = 0;
    if (one.context.version == 5) {
        type = header.read<std::uint8_t>();
        one.context.address_bytes = header.read<std::uint8_t>();
        abbreviations = header.number(one.context.offset_bytes);
    } else if (one.context.version >= 2 && one.context.version < 5) {
        abbreviations = header.number(one.context.offset_bytes);
        one.context.address_bytes = header.read<std::uint8_t>();
    }
    // Of a version that is not known, or without code.
    if (one.context.version < 2 || one.context.version > 5 ||
        one.context.address_bytes != 8 ||
        (type != unit_type::compile && type != unit_type::partial)) {
        return;
    }
    one.entries = one.end - header.left();
    try {
        read_abbreviations(one, abbreviations);
        attributes its;
        read_entry(header, one, its);
        one.context.str_offsets_base = its.str_offsets_base.number;
        one.context.addr_base = its.addr_base.number;
        one.context.rnglists_base = its.rnglists_base.number;
        one.folder = text_of(its.folder, one.context, sections_);
        one.base = address_of(its.low, one.context, sections_);
        if (its.lines) {
            one.lines_at = its.lines.number;
        }
        one.addresses =
            ranges_of(its.low, its.high, its.ranges, one.base, one.context, sections_);
    } catch (const broken_table&) { // the next unit may be whole
        return;
    }
    units_.push_back(std::move(one));
}

void dwarf::read_abbreviations(unit& one, std::uint64_t offset) {
    bytes table(sections_.abbrev);
    table.go_to(offset);
    for (std::uint64_t code = table.leb(); code != 0; code = table.leb()) {
        abbreviation& its = one.abbreviations[code];
        its.tag = table.leb();
        its.has_children = table.read<std::uint8_t>() != 0;
        for (;;) {
            attribute next{.name = table.leb(), .form = table.leb()};
            constexpr std::uint64_t implicit_const = 0x21;
            if (next.form == implicit_const) {
                next.constant = table.signed_leb();
            }
            if (next.name == 0 && next.form == 0) {
                break;
            }
            its.attributes.push_back(next);
        }
    }
}

// \return how the entry looks; null for the end of a list of children
const dwarf::abbreviation* dwarf::read_entry(bytes& from, const unit& one,
                                             attributes& found) const {
    const std::uint64_t code = from.leb();
    if (code == 0) {
        return nullptr;
    }
    const auto looks = one.abbreviations.find(code);
    if (looks == one.abbreviations.end()) {
        throw broken_table();
    }
    for (const attribute& next : looks->second.attributes) {
        const dwarf_value value =
            read_value(from, next.form, next.constant, one.context, sections_);
        if (dwarf_value* const wanted = found.of(next.name)) {
            *wanted = value;
        }
    }
    return &looks->second;
}

// All functions of a unit, and what encloses them.
void dwarf::read_functions(unit& one) const {
    bytes table(sections_.info.substr(0, static_cast<std::size_t>(one.end)));
    table.go_to(one.entries);
    std::vector<std::size_t> around;
    do {
        const std::uint64_t offset = table.at();
        attributes its;
        const abbreviation* const looks = read_entry(table, one, its);
        if (looks == nullptr) {
            if (!around.empty()) {
                around.pop_back();
            }
            continue;
        }
        std::size_t parent = around.empty() ? none : around.back();
        if (counts(looks->tag)) {
            if (is_function(looks->tag)) {
                for (const address_range& addresses : ranges_of(
                         its.low, its.high, its.ranges, one.base, one.context, sections_)) {
                    one.functions.push_back({addresses, one.all.size()});
                }
            }
            one.all.push_back({offset, looks->tag, parent});
            parent = one.all.size() - 1;
        }
        if (looks->has_children) {
            around.push_back(parent);
        }
    } while (!around.empty());
}

// Of a damaged tree nothing is believed; without lines there are still functions.
void dwarf::load(unit& one) {
    if (std::exchange(one.loaded, true)) {
        return;
    }
    try {
        read_functions(one);
    } catch (const broken_table&) {
        one.all.clear();
        one.functions.clear();
        return;
    }
    try {
        if (one.lines_at) {
            one.lines = line_table(sections_, *one.lines_at, one.context, one.folder);
        }
    } catch (const broken_table&) {
        one.lines = {};
    }
}

dwarf::unit* dwarf::unit_of(std::uint64_t offset) {
    const auto found = std::find_if(units_.begin(), units_.end(), [&](const unit& one) {
        return one.context.begin <= offset && offset < one.end;
    });
    return found == units_.end() ? nullptr : &*found;
}

std::size_t dwarf::entry_at(const unit& one, std::uint64_t offset) const {
    const auto found = std::lower_bound(
        one.all.begin(), one.all.end(), offset,
        [](const entry& its, std::uint64_t wanted) { return its.offset < wanted; });
    return found == one.all.end() || found->offset != offset
               ? none
               : static_cast<std::size_t>(found - one.all.begin());
}

// What is known of a function stands in up to three entries: of this copy, of the function,
// and of its declaration, which alone tells what encloses it.
dwarf::known dwarf::describe(unit& one, std::size_t index) {
    known found;
    unit* home = &one;
    for (unsigned i = 0; i < deep_enough; ++i) {
        bytes table(sections_.info.substr(0, static_cast<std::size_t>(home->end)));
        table.go_to(home->all[index].offset);
        attributes its;
        read_entry(table, *home, its);
        if (found.name.empty()) {
            found.name = text_of(its.name, home->context, sections_);
        }
        if (found.declared.line == 0 && its.line) {
            found.declared.line = static_cast<std::uint32_t>(its.line.number);
        }
        if (found.declared.path.empty() && its.file) {
            found.declared.path = home->lines.file(its.file.number);
        }
        found.home = home;
        found.around = home->all[index].parent;
        const dwarf_value& next = its.origin ? its.origin : its.specification;
        if (!next) {
            return found;
        }
        home = unit_of(next.number);
        if (home == nullptr) {
            break;
        }
        load(*home);
        index = entry_at(*home, next.number);
        if (index == none) {
            break;
        }
    }
    throw broken_table();
}

// With the namespaces, classes and functions around it.
std::string dwarf::name_of(unit& one, std::size_t index, unsigned depth) {
    if (depth == deep_enough) {
        throw broken_table();
    }
    const known its = describe(one, index);
    const bool is_class =
        !is_function(one.all[index].tag) && one.all[index].tag != tag::name_space;
    const std::string around =
        its.around == none ? std::string{} : name_of(*its.home, its.around, depth + 1);
    // GCC calls the class of a lambda <lambda(int)>; clang gives it no name.
    const bool is_lambda = is_class && (its.name.empty() || its.name.starts_with('<'));
    return with_enclosing(around, is_lambda ? "lambda" : readable(its.name));
}

std::vector<level> dwarf::levels(unit& one, std::uint64_t address) {
    load(one);
    // The outermost first: a function comes before those that were put into it.
    std::vector<std::size_t> inside;
    for (const code_range& range : one.functions) {
        if (range.addresses.contains(address) &&
            (inside.empty() ? one.all[range.function].tag == tag::subprogram
                            : one.all[range.function].parent == inside.back())) {
            inside.push_back(range.function);
        }
    }
    std::vector<level> found;
    source_line here = one.lines.at(address);
    for (auto index = inside.rbegin(); index != inside.rend(); ++index) {
        const known its = describe(one, *index);
        // A compiler may keep an instruction of an inlined function and forget where that
        // was: then the line is one of another function.
        const bool may_be = its.declared.path.empty() || (here.path == its.declared.path &&
                                                          here.line >= its.declared.line);
        const bool is_known = here.line != 0 && !here.path.empty() && may_be;
        found.push_back({.function = name_of(one, *index, 0),
                         .path = is_known ? here.path : its.declared.path,
                         .line = is_known ? here.line : 0});
        // The line in the next one is that of the call.
        bytes table(sections_.info.substr(0, static_cast<std::size_t>(one.end)));
        table.go_to(one.all[*index].offset);
        attributes call;
        read_entry(table, one, call);
        here = {one.lines.file(call.call_file.number),
                static_cast<std::uint32_t>(call.call_line.number)};
    }
    return found;
}

std::vector<level> dwarf::at(std::uint64_t address) {
    for (unit& one : units_) {
        const auto its = std::find_if(
            one.addresses.begin(), one.addresses.end(),
            [&](const address_range& range) { return range.contains(address); });
        if (its == one.addresses.end()) {
            continue;
        }
        try {
            std::vector<level> found = levels(one, address);
            if (!found.empty()) {
                return found;
            }
        } catch (const broken_table&) { // another unit may tell
        }
    }
    return {};
}

} // namespace iocp::watch
