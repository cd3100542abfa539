#include "tests/support/words.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>

namespace support {

namespace {

void fail_check(const std::string& words, const place& at) {
    DOCTEST_ADD_FAIL_CHECK_AT(at.file_name(), static_cast<int>(at.line()), words);
}

void fail(const std::string& words, const place& at) {
    DOCTEST_ADD_FAIL_AT(at.file_name(), static_cast<int>(at.line()), words);
}

void pass() {
    CHECK(true); // counted like the others
}

std::string bytes(std::size_t count) {
    return std::to_string(count) + (count == 1 ? " byte" : " bytes");
}

bool is_short_text(std::string_view text) {
    return text.size() <= 40 &&
           std::ranges::all_of(text, [](char c) { return std::isprint(static_cast<unsigned char>(c)) != 0; });
}

// Empty when they are the same.
std::string difference(std::string_view came, std::string_view sent) {
    if (came == sent) {
        return {};
    }
    if (is_short_text(came) && is_short_text(sent)) {
        return "\"" + std::string(sent) + "\" should have come, and \"" + std::string(came) + "\" came";
    }
    const auto where = static_cast<std::size_t>(std::ranges::mismatch(came, sent).in1 - came.begin());
    if (where == came.size()) {
        return "only " + bytes(came.size()) + " of " + std::to_string(sent.size()) + " came";
    }
    if (where == sent.size()) {
        return bytes(came.size()) + " came, and only " + std::to_string(sent.size()) + " were sent";
    }
    return "after " + bytes(where) +
           " another byte came than was sent: bytes are lost, doubled, swapped or another "
           "client's";
}

} // namespace

void check_same(std::string_view came, std::string_view sent, const place& at) {
    if (const std::string words = difference(came, sent); !words.empty()) {
        fail_check(words, at);
    } else {
        pass();
    }
}

void require_same(std::string_view came, std::string_view sent, const place& at) {
    if (const std::string words = difference(came, sent); !words.empty()) {
        fail(words, at);
    } else {
        pass();
    }
}

void check_orderly(const rest_of_stream& rest, const place& at) {
    if (rest.how == ending::reset) {
        fail_check("the server has reset the connection and not ended it in order", at);
    } else {
        pass();
    }
}

void check_rest(const rest_of_stream& rest, std::string_view sent, const place& at) {
    if (sent.empty() && !rest.bytes.empty()) {
        fail_check("nothing more should have come, and " + bytes(rest.bytes.size()) + " came", at);
    } else {
        check_same(rest.bytes, sent, at);
    }
    check_orderly(rest, at);
}

void require_hears_nothing(client& one, std::string_view although, const place& at) {
    if (!one.hears_nothing_for(quiet)) {
        fail("it was answered or let go, although " + std::string(although), at);
    } else {
        pass();
    }
}

void check_cut_off(client& one, const place& at) {
    if (!one.is_cut_off()) {
        fail_check("a client that never reads is still connected after " + std::to_string(patience.count() / 1000) +
                       " seconds",
                   at);
    } else {
        pass();
    }
}

void check_contains(std::string_view text, std::string_view part, std::string_view what, const place& at) {
    if (text.find(part) == std::string_view::npos) {
        fail_check(std::string(what) + " does not hold \"" + std::string(part) + "\": \"" + std::string(text) + "\"",
                   at);
    } else {
        pass();
    }
}

void check_lacks(std::string_view text, std::string_view part, std::string_view what, const place& at) {
    if (text.find(part) != std::string_view::npos) {
        fail_check(std::string(what) + " holds \"" + std::string(part) + "\": \"" + std::string(text) + "\"", at);
    } else {
        pass();
    }
}

void check_one_line(std::string_view text, std::string_view what, const place& at) {
    if (text.empty() || text.find('\n') != text.size() - 1) {
        fail_check(std::string(what) + " should be one line, and is \"" + std::string(text) + "\"", at);
    } else {
        pass();
    }
}

void check_status(DWORD status, DWORD expected, const place& at) {
    if (status != expected) {
        fail_check("it has ended with status " + std::to_string(status) + " and not " + std::to_string(expected), at);
    } else {
        pass();
    }
}

void check_count(std::size_t now, std::size_t expected, std::string_view of_what, const place& at) {
    if (now != expected) {
        fail_check("there are " + std::to_string(now) + " " + std::string(of_what) + " and not " +
                       std::to_string(expected),
                   at);
    } else {
        pass();
    }
}

void check_growth(std::size_t now, std::size_t before, std::size_t at_most, std::string_view of_what, const place& at) {
    if (now >= before + at_most) {
        fail_check(std::string(of_what) + " have grown from " + std::to_string(before) + " to " + std::to_string(now) +
                       ", by " + std::to_string(at_most) + " or more",
                   at);
    } else {
        pass();
    }
}

} // namespace support
