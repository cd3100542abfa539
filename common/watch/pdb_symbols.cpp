#include "common/watch/pdb_symbols.hpp"

#include "common/watch/function_names.hpp"
#include "common/watch/modules.hpp"

#include <winsock2.h>

#include <windows.h>

#include <dbghelp.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>

namespace iocp::watch {
namespace {

// What DbgHelp knows of one address; its texts are cut where they would be longer.
struct symbol_buffer : SYMBOL_INFOW {
    symbol_buffer() : SYMBOL_INFOW{} {
        SizeOfStruct = sizeof(SYMBOL_INFOW);
        MaxNameLen = static_cast<ULONG>(std::size(more));
    }
    wchar_t more[512] = {};
};

// DbgHelp's functions for code that the compiler has put into its caller. Older headers and
// versions lack them.
struct inline_functions {
    DWORD(WINAPI* count)(HANDLE, DWORD64) = nullptr;
    BOOL(WINAPI* query)(HANDLE, DWORD64, DWORD, DWORD64, DWORD64, DWORD*, DWORD*) = nullptr;
    BOOL(WINAPI* symbol)(HANDLE, DWORD64, ULONG, DWORD64*, SYMBOL_INFOW*) = nullptr;
    BOOL(WINAPI* line)
    (HANDLE, DWORD64, ULONG, DWORD64, DWORD*, IMAGEHLP_LINEW64*) = nullptr;
    bool is_wine = false;

    inline_functions() {
        find(count, L"dbghelp.dll", "SymAddrIncludeInlineTrace");
        find(query, L"dbghelp.dll", "SymQueryInlineTrace");
        find(symbol, L"dbghelp.dll", "SymFromInlineContextW");
        find(line, L"dbghelp.dll", "SymGetLineFromInlineContextW");
        void (*wine)() = nullptr;
        find(wine, L"ntdll.dll", "wine_get_version");
        is_wine = wine != nullptr;
    }
    bool are_there() const {
        return count != nullptr && query != nullptr && symbol != nullptr && line != nullptr;
    }

private:
    template <class Function>
    static void find(Function& function, const wchar_t* module, const char* name) {
        function = reinterpret_cast<Function>(
            reinterpret_cast<void*>(::GetProcAddress(::GetModuleHandleW(module), name)));
    }
};

const inline_functions& functions() {
    static const inline_functions found;
    return found;
}

std::string name_in(const symbol_buffer& symbol) {
    return readable(
        utf8({symbol.Name, std::min<std::size_t>(symbol.NameLen, std::size(symbol.more))}));
}

// Nobody has promised that Wine's lines are right where something was put into the
// function, so there they are not relied on.
bool is_line_trusted(HANDLE process, const symbol_buffer& symbol) {
    if (!functions().is_wine) {
        return true;
    }
    constexpr ULONG most = 65'536; // no longer search than that
    if (!functions().are_there() || symbol.Size > most) {
        return false;
    }
    for (DWORD64 at = symbol.Address; at < symbol.Address + symbol.Size; ++at) {
        if (functions().count(process, at) != 0) {
            return false;
        }
    }
    return true;
}

// The outermost function, in which all the others are.
level outermost(HANDLE process, DWORD64 address) {
    level found;
    symbol_buffer symbol;
    DWORD64 into_function = 0;
    if (!::SymFromAddrW(process, address, &into_function, &symbol)) {
        return found;
    }
    found.function = name_in(symbol);
    IMAGEHLP_LINEW64 line{};
    line.SizeOfStruct = sizeof line;
    DWORD into_line = 0;
    if (::SymGetLineFromAddrW64(process, address, &into_line, &line)) {
        found.path = utf8(line.FileName);
        found.line = is_line_trusted(process, symbol) ? line.LineNumber : 0;
    }
    return found;
}

} // namespace

pdb_symbols::~pdb_symbols() {
    if (process_ != nullptr) {
        if (!given_up_) {
            ::SymCleanup(process_);
        }
        ::CloseHandle(process_);
    }
}

bool pdb_symbols::start() {
    if (given_up_) {
        return false;
    }
    if (process_ == nullptr) {
        // A handle of its own: the program may use DbgHelp, too, and there it is known by
        // its handle.
        if (!::DuplicateHandle(::GetCurrentProcess(), ::GetCurrentProcess(),
                               ::GetCurrentProcess(), &process_, 0, FALSE,
                               DUPLICATE_SAME_ACCESS)) {
            given_up_ = true;
            return false;
        }
        ::SymSetOptions(SYMOPT_LOAD_LINES | SYMOPT_UNDNAME | SYMOPT_FAIL_CRITICAL_ERRORS |
                        SYMOPT_NO_PROMPTS);
        // Not "invade": that would load the symbols of every module at once.
        given_up_ = ::SymInitializeW(process_, nullptr, FALSE) == FALSE;
    }
    return !given_up_;
}

bool pdb_symbols::load(const std::wstring& path, std::uintptr_t base) {
    if (!start()) {
        return false;
    }
    ::SymUnloadModule64(process_, base); // another one may have been there before
    ::SymLoadModuleExW(process_, nullptr, path.c_str(), nullptr, base, 0, nullptr, 0);
    IMAGEHLP_MODULEW64 module{};
    module.SizeOfStruct = sizeof module;
    // Not those of an export table: what is not exported would have the name of what is
    // before it.
    return ::SymGetModuleInfoW64(process_, base, &module) &&
           (module.SymType == SymPdb || module.SymType == SymDia ||
            module.SymType == SymCv);
}

std::vector<level> pdb_symbols::at(std::uintptr_t address) const {
    std::vector<level> found;
    if (given_up_) {
        return found;
    }
    DWORD context = 0;
    DWORD unused = 0;
    DWORD count = functions().are_there() ? functions().count(process_, address) : 0;
    if (count != 0 &&
        !functions().query(process_, address, 0, address, address, &context, &unused)) {
        count = 0;
    }
    for (; count != 0; --count, ++context) {
        symbol_buffer symbol;
        IMAGEHLP_LINEW64 line{};
        line.SizeOfStruct = sizeof line;
        DWORD64 into_function = 0;
        DWORD into_line = 0;
        if (functions().symbol(process_, address, context, &into_function, &symbol) &&
            functions().line(process_, address, context, 0, &into_line, &line)) {
            found.push_back({name_in(symbol), utf8(line.FileName),
                             functions().is_wine ? 0 : line.LineNumber});
        }
    }
    level last = outermost(process_, address);
    if (!last.function.empty()) {
        found.push_back(std::move(last));
    }
    return found;
}

} // namespace iocp::watch
