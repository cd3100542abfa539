#include "common/watch/settings.hpp"

#include <winsock2.h>

#include <windows.h>

#include <string_view>

namespace iocp::watch {
namespace {

constexpr wchar_t variable[] = L"IOCP_WATCH";

// The system's environment and not getenv: a C runtime keeps a copy, and the watch may be
// there before its copy is.
std::wstring take_variable() {
    std::wstring value;
    for (DWORD room = ::GetEnvironmentVariableW(variable, nullptr, 0); room != 0;) {
        value.resize(room);
        const DWORD length = ::GetEnvironmentVariableW(variable, value.data(), room);
        if (length <
            room) { // without the zero at the end; otherwise it has grown meanwhile
            value.resize(length);
            break;
        }
        room = length;
    }
    ::SetEnvironmentVariableW(variable, nullptr);
    return value;
}

// \return what is in front of the separator, which is cut off together with it
std::wstring_view take_word(std::wstring_view& rest, wchar_t separator) {
    const std::size_t at = rest.find(separator);
    const std::wstring_view word = rest.substr(0, at);
    rest.remove_prefix(at == std::wstring_view::npos ? rest.size() : at + 1);
    return word;
}

// \return 0 for what is no number: neither sockets nor handles begin there
std::uint64_t number(std::wstring_view digits) {
    std::uint64_t value = 0;
    for (const wchar_t digit : digits) {
        if (digit < L'0' || digit > L'9') {
            return 0;
        }
        value = value * 10 + static_cast<std::uint64_t>(digit - L'0');
    }
    return value;
}

bool take_prefix(std::wstring_view& word, std::wstring_view prefix) {
    if (!word.starts_with(prefix)) {
        return false;
    }
    word.remove_prefix(prefix.size());
    return true;
}

} // namespace

settings settings::from_environment() {
    settings wanted;
    const std::wstring value = take_variable();
    for (std::wstring_view rest = value; !rest.empty();) {
        std::wstring_view word = take_word(rest, L'|');
        if (word == L"strict") {
            wanted.strict = true;
        } else if (word == L"quiet") {
            wanted.quiet = true;
        } else if (word == L"colour") {
            wanted.colour = true;
        } else if (word == L"hash-sends") {
            wanted.hash_sends = true;
        } else if (take_prefix(word, L"only=socket=")) {
            while (!word.empty()) {
                if (const std::uint64_t socket = number(take_word(word, L','));
                    socket != 0) {
                    wanted.only.push_back(static_cast<std::uint32_t>(socket));
                }
            }
        } else if (take_prefix(word, L"trace=")) {
            wanted.trace = word;
        } else if (take_prefix(word, L"tell=")) {
            wanted.tell =
                reinterpret_cast<void*>(static_cast<std::uintptr_t>(number(word)));
        }
    }
    return wanted;
}

} // namespace iocp::watch
