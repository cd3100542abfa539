#pragma once
// Messages on a stream: two rules that say where a message ends, and what cuts the stream
// by them. Nothing here knows of sockets.

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

constexpr std::size_t most_of_message = 64 * 1024;

// What a rule finds at the beginning of what has come.
struct cut {
    std::string_view message{};
    std::size_t length = 0; // with all that belongs to it; 0: it is not here as a whole yet
    bool refused = false;   // it is, or would become, longer than we take
};

// Four bytes that say how long the message is, the highest first; then the message.
struct by_length {
    // [length_first]
    static cut first(std::string_view came) {
        constexpr std::size_t header = 4;
        if (came.size() < header) {
            return {};
        }
        std::size_t length = 0;
        for (const char each : came.substr(0, header)) {
            length = length << 8 | static_cast<unsigned char>(each);
        }
        if (length > most_of_message) { // before any memory is asked for
            return {.refused = true};
        }
        if (came.size() < header + length) {
            return {};
        }
        return {came.substr(header, length), header + length};
    }
    // [/length_first]

    static void put(std::string& to, std::string_view message) {
        for (int shift = 24; shift >= 0; shift -= 8) {
            to += static_cast<char>(message.size() >> shift & 0xFF);
        }
        to += message;
    }
};

// The message, then a line feed, which no message contains.
struct by_line {
    // [line_first]
    static cut first(std::string_view came) {
        const std::size_t length = std::min(came.find('\n'), came.size());
        if (length > most_of_message) {
            return {.refused = true};
        }
        if (length == came.size()) {
            return {};
        }
        return {came.substr(0, length), length + 1};
    }
    // [/line_first]

    static void put(std::string& to, std::string_view message) {
        to += message;
        to += '\n';
    }
};

// [cutter]
// Holds what has begun and is not whole yet.
template <class Rule>
class cutter {
public:
    // Calls `each` with every message that is whole now. False: the client breaks the rule,
    // and nobody can tell where its next message would begin.
    template <class Each>
    bool feed(std::string_view came, Each each) {
        if (!begun_.empty()) {
            begun_ += came;
            came = begun_;
        }
        cut next = Rule::first(came);
        for (; next.length > 0; next = Rule::first(came)) {
            each(next.message);
            came.remove_prefix(next.length);
        }
        begun_ = std::string{came};
        return !next.refused;
    }

private:
    std::string begun_;
};
// [/cutter]
