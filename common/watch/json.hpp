#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace iocp::watch {

/// Appends one JSON object to a text. It is closed when the writer is destroyed.
class json_object {
public:
    explicit json_object(std::string& to) : to_(to) {
        to_ += '{';
        closable();
    }
    ~json_object() { to_ += '}'; } // for which there is room

    json_object(const json_object&) = delete;
    json_object& operator=(const json_object&) = delete;

    /// \param value UTF-8; bytes that are none are replaced
    json_object& text(std::string_view name, std::string_view value);
    json_object& number(std::string_view name, std::uint64_t value);
    json_object& boolean(std::string_view name, bool value);
    /// A string, `"0x…"`: JSON has no hexadecimal numbers.
    json_object& address(std::string_view name, std::uintptr_t value);
    /// Microseconds with three decimals.
    json_object& microseconds(std::string_view name, std::uint64_t nanoseconds);
    /// The name of a member whose value the caller appends.
    std::string& member(std::string_view name);

private:
    // Sees to it that brackets can be closed without memory being taken.
    json_object& closable();

    std::string& to_;
    bool first_ = true;
};

/// Appends a JSON string with its quotes.
void append_json_string(std::string& to, std::string_view text);

} // namespace iocp::watch
