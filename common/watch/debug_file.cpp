#include "common/watch/debug_file.hpp"

#include "common/watch/bytes.hpp"
#include "common/watch/guarded_read.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>

namespace iocp::watch {
namespace {

// A symbol as it lies in the file, without gaps between its members. (The system's header
// has it as a union that is awkward to read.)
constexpr std::size_t symbol_bytes = 18;
constexpr std::uint16_t is_a_function = 0x20; // IMAGE_SYM_DTYPE_FUNCTION, shifted

struct mapped {
    const char* begin = nullptr;
    std::size_t size = 0;
};

// The view stays when its handles are closed.
mapped map(const std::wstring& path) {
    mapped view;
    const HANDLE file = ::CreateFileW(
        path.c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
        nullptr, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr);
    if (file == INVALID_HANDLE_VALUE) {
        return view;
    }
    LARGE_INTEGER size{};
    if (::GetFileSizeEx(file, &size)) {
        if (const HANDLE mapping =
                ::CreateFileMappingW(file, nullptr, PAGE_READONLY, 0, 0, nullptr)) {
            view.begin =
                static_cast<const char*>(::MapViewOfFile(mapping, FILE_MAP_READ, 0, 0, 0));
            view.size = view.begin == nullptr ? 0 : static_cast<std::size_t>(size.QuadPart);
            ::CloseHandle(mapping);
        }
    }
    ::CloseHandle(file);
    return view;
}

// The header of the module in memory. What the loader changes there is only where it lies.
bool is_loaded_from(const IMAGE_NT_HEADERS64& file, const void* base) {
    const auto* const begin = static_cast<const char*>(base);
    const auto dos = guarded_read(reinterpret_cast<const IMAGE_DOS_HEADER*>(begin));
    const auto loaded = dos ? guarded_read(reinterpret_cast<const IMAGE_NT_HEADERS64*>(
                                  begin + dos->e_lfanew))
                            : std::nullopt;
    return loaded && loaded->FileHeader.TimeDateStamp == file.FileHeader.TimeDateStamp &&
           loaded->OptionalHeader.CheckSum == file.OptionalHeader.CheckSum &&
           loaded->OptionalHeader.SizeOfImage == file.OptionalHeader.SizeOfImage;
}

} // namespace

debug_file::debug_file(const std::wstring& path, const void* base) {
    const mapped view = map(path);
    all_ = {view.begin, view.size};
    try {
        read(base);
    } catch (const broken_table&) {
        sections_ = {};
        symbols_ = {};
    }
}

debug_file::~debug_file() {
    if (!all_.empty()) {
        ::UnmapViewOfFile(all_.data());
    }
}

void debug_file::read(const void* base) {
    bytes file(all_);
    file.go_to(static_cast<std::uint32_t>(file.read<IMAGE_DOS_HEADER>().e_lfanew));
    const std::size_t begin = file.at();
    const auto header = file.read<IMAGE_NT_HEADERS64>();
    if (header.Signature != IMAGE_NT_SIGNATURE || !is_loaded_from(header, base)) {
        throw broken_table();
    }
    preferred_base_ = header.OptionalHeader.ImageBase;

    file.go_to(begin + offsetof(IMAGE_NT_HEADERS64, OptionalHeader) +
               header.FileHeader.SizeOfOptionalHeader);
    for (unsigned i = 0; i < header.FileHeader.NumberOfSections; ++i) {
        headers_.push_back(file.read<IMAGE_SECTION_HEADER>());
    }
    if (header.FileHeader.PointerToSymbolTable != 0) {
        file.go_to(header.FileHeader.PointerToSymbolTable);
        symbols_ =
            file.take(std::uint64_t{header.FileHeader.NumberOfSymbols} * symbol_bytes);
        strings_ = all_.substr(file.at());
    }

    look_for_pdb(header.OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_DEBUG]);

    struct named {
        std::string_view name;
        std::string_view dwarf_sections::*section;
    };
    constexpr named wanted[] = {{".debug_info", &dwarf_sections::info},
                                {".debug_abbrev", &dwarf_sections::abbrev},
                                {".debug_line", &dwarf_sections::line},
                                {".debug_str", &dwarf_sections::str},
                                {".debug_line_str", &dwarf_sections::line_str},
                                {".debug_str_offsets", &dwarf_sections::str_offsets},
                                {".debug_addr", &dwarf_sections::addr},
                                {".debug_ranges", &dwarf_sections::ranges},
                                {".debug_rnglists", &dwarf_sections::rnglists}};
    for (const IMAGE_SECTION_HEADER& section : headers_) {
        const std::string_view name = name_of(section);
        for (const named& one : wanted) {
            if (name == one.name) {
                file.go_to(section.PointerToRawData);
                sections_.*one.section =
                    file.take(std::min(section.SizeOfRawData, section.Misc.VirtualSize));
            }
        }
    }
}

void debug_file::look_for_pdb(const IMAGE_DATA_DIRECTORY& directory) {
    const auto home = std::find_if(
        headers_.begin(), headers_.end(), [&](const IMAGE_SECTION_HEADER& section) {
            return section.VirtualAddress <= directory.VirtualAddress &&
                   directory.VirtualAddress - section.VirtualAddress <
                       section.SizeOfRawData;
        });
    if (home == headers_.end() || directory.Size == 0) {
        return;
    }
    bytes list(all_);
    list.go_to(std::uint64_t{home->PointerToRawData} + directory.VirtualAddress -
               home->VirtualAddress);
    for (DWORD left = directory.Size / sizeof(IMAGE_DEBUG_DIRECTORY); left != 0; --left) {
        const auto one = list.read<IMAGE_DEBUG_DIRECTORY>();
        if (one.Type == IMAGE_DEBUG_TYPE_CODEVIEW) {
            bytes entry(all_);
            entry.go_to(one.PointerToRawData);
            // After it come the pair's number and its age.
            names_pdb_ = entry.take(4) == "RSDS" && entry.take(20).size() == 20 &&
                         !entry.text().empty();
        }
    }
}

// Eight characters, or a slash and where in the table of strings a longer one begins.
std::string_view debug_file::name_of(const IMAGE_SECTION_HEADER& section) const {
    const auto* const begin = reinterpret_cast<const char*>(section.Name);
    const auto* const end = std::find(begin, begin + sizeof section.Name, '\0');
    std::uint32_t offset = 0;
    if (begin != end && *begin == '/' &&
        std::from_chars(begin + 1, end, offset).ec == std::errc()) {
        bytes strings(strings_);
        strings.go_to(offset);
        return strings.text();
    }
    return {begin, static_cast<std::size_t>(end - begin)};
}

// A function that only its own file knows may have no symbol left but that of its section,
// which bears its name.
std::string_view debug_file::function_at(std::uint32_t offset) const {
    constexpr std::string_view own_section = ".text$";
    std::string_view by_section;
    bytes table(symbols_);
    while (table.left() >= symbol_bytes) {
        const std::string_view short_name = table.take(8);
        const auto value = table.read<std::uint32_t>();
        const auto section = table.read<std::int16_t>(); // from 1
        const auto type = table.read<std::uint16_t>();
        table.take(1); // storage class
        const std::size_t more = table.read<std::uint8_t>();
        table.take(std::min(more * symbol_bytes, table.left()));
        if (section <= 0 || static_cast<std::size_t>(section) > headers_.size() ||
            headers_[static_cast<std::size_t>(section) - 1].VirtualAddress + value !=
                offset) {
            continue;
        }
        const std::string_view name = symbol_name(short_name);
        if (type == is_a_function) {
            return name;
        }
        if (name.starts_with(own_section)) {
            by_section = name.substr(own_section.size());
        }
    }
    return by_section;
}

// Eight characters, or nothing in the first four and in the others where it begins in the
// table of strings.
std::string_view debug_file::symbol_name(std::string_view short_name) const {
    bytes name(short_name);
    if (name.read<std::uint32_t>() != 0) {
        return short_name.substr(0, short_name.find('\0'));
    }
    const auto begin = name.read<std::uint32_t>();
    const std::size_t end = strings_.find('\0', begin);
    return end == std::string_view::npos ? std::string_view{}
                                         : strings_.substr(begin, end - begin);
}

} // namespace iocp::watch
