#include "common/error.hpp"

#include <doctest/doctest.h>

TEST_CASE("an error text is one line without a full stop") {
    for (const unsigned long code : {5UL, 64UL, 258UL, 995UL, 10048UL, 10054UL, 10061UL}) {
        const std::string text = iocp::error_text(code);
        INFO(code, ": ", text);
        REQUIRE_FALSE(text.empty());
        CHECK(text.find_first_of("\r\n") == std::string::npos);
        CHECK(text.back() != '.');
        CHECK(text.back() != ' ');
    }
}

TEST_CASE("different errors have different texts") {
    CHECK(iocp::error_text(10048) != iocp::error_text(10054));
    CHECK(iocp::error_text(5) != iocp::error_text(6));
}

TEST_CASE("a code that nobody knows still has a text") {
    CHECK_FALSE(iocp::error_text(0x2FFFFFFF).empty());
}

TEST_CASE("an error line names the call and what it was asked and the code and the text") {
    CHECK(iocp::error_line(10048, "bind", "127.0.0.1:6000") == "bind 127.0.0.1:6000: 10048 " + iocp::error_text(10048));
    CHECK(iocp::error_line(10055, "socket") == "socket: 10055 " + iocp::error_text(10055));
}

TEST_CASE("a failed call is thrown with its code and its line") {
    try {
        iocp::fail(10048, "bind", "127.0.0.1:6000");
    } catch (const iocp::call_error& problem) {
        CHECK(problem.code() == 10048);
        CHECK(std::string(problem.what()) == iocp::error_line(10048, "bind", "127.0.0.1:6000"));
    }
    CHECK_THROWS_AS(iocp::fail(5, "CreateFileW"), iocp::call_error);
}
