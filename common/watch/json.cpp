#include "common/watch/json.hpp"

#include "common/watch/digits.hpp"

#include <cstddef>

namespace iocp::watch {
namespace {

// \return how many bytes the character at the text's begin takes in UTF-8; 0: it is none
std::size_t utf8_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    const std::size_t length = first < 0x80                     ? 1
                               : first >= 0xC2 && first <= 0xDF ? 2
                               : (first & 0xF0) == 0xE0         ? 3
                               : first >= 0xF0 && first <= 0xF4 ? 4
                                                                : 0;
    if (length == 0 || length > text.size()) {
        return 0;
    }
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0) != 0x80) {
            return 0;
        }
    }
    const bool too_long =
        (first == 0xE0 && byte(1) < 0xA0) || (first == 0xF0 && byte(1) < 0x90);
    const bool surrogate = first == 0xED && byte(1) > 0x9F;
    const bool too_large = first == 0xF4 && byte(1) > 0x8F;
    return too_long || surrogate || too_large ? 0 : length;
}

} // namespace

void append_json_string(std::string& to, std::string_view text) {
    to += '"';
    while (!text.empty()) {
        const char one = text.front();
        const std::size_t length = utf8_length(text);
        if (one == '"' || one == '\\') {
            to.append({'\\', one});
        } else if (length == 1 && one < ' ') {
            constexpr char digits[] = "0123456789abcdef";
            to.append("\\u00").append({digits[one / 16], digits[one % 16]});
        } else if (length == 0) {
            to.append("\xEF\xBF\xBD"); // U+FFFD, the character that stands for one that
                                       // cannot be read
        } else {
            to.append(text.substr(0, length));
        }
        text.remove_prefix(length == 0 ? 1 : length);
    }
    to += '"';
}

std::string& json_object::member(std::string_view name) {
    if (!first_) {
        to_ += ',';
    }
    first_ = false;
    append_json_string(to_, name);
    to_ += ':';
    closable();
    return to_;
}

json_object& json_object::closable() {
    constexpr std::size_t room = 16;
    if (to_.capacity() - to_.size() < room) {
        to_.reserve(to_.size() + room);
    }
    return *this;
}

json_object& json_object::text(std::string_view name, std::string_view value) {
    append_json_string(member(name), value);
    return closable();
}

json_object& json_object::number(std::string_view name, std::uint64_t value) {
    member(name).append(std::to_string(value));
    return closable();
}

json_object& json_object::boolean(std::string_view name, bool value) {
    member(name).append(value ? "true" : "false");
    return closable();
}

json_object& json_object::address(std::string_view name, std::uintptr_t value) {
    return text(name, hexadecimal(value));
}

json_object& json_object::microseconds(std::string_view name, std::uint64_t nanoseconds) {
    member(name).append(std::to_string(nanoseconds / 1000));
    const auto rest = static_cast<unsigned>(nanoseconds % 1000);
    const auto digit = [](unsigned value) { return static_cast<char>('0' + value % 10); };
    to_.append({'.', digit(rest / 100), digit(rest / 10), digit(rest)});
    return closable();
}

} // namespace iocp::watch
