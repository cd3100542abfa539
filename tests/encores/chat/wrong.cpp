// Chats that are wrong in one thing (CMakeLists.txt beside this file says in which): what the crowd says of each.

#include "tests/encores/chat/crowd.hpp"
#include "tests/support/cases.hpp"
#include "tests/support/chapter.hpp"
#include "tests/support/failure.hpp"
#include "tests/support/server.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdio>
#include <string>

using namespace support;

constinit const chapter_info support::chapter{.number = encore, .name = "chat"};

namespace {

// The first thing that is wrong, in the crowd's words; nothing when all is well.
std::string said_of(const char* program) {
    const second_program running(program, {L"--workers", L"8", L"--queue", L"100000000"});
    try {
        chat::crowd crowd{running, 30, 10, 10, 1200}; // as chat.cpp has it
        crowd.talk_to_the_end();
    } catch (const failure& problem) {
        return problem.what();
    }
    return "";
}

} // namespace

TEST_SUITE_BEGIN("long");

TEST_CASE("a chat whose worker keeps the lock of one client and takes that of another stops for everybody" *
          needs_second_program()) {
    check_contains(said_of("chat_two_locks"), "nobody hears anything any more", "what the crowd says");
}

TEST_CASE("a chat that receives again before it has handed a line on is heard in another order" *
          needs_second_program()) {
    const std::string said = said_of("chat_received_too_early");
    INFO("the crowd says: " << said);
    std::size_t listener = 0;
    std::size_t talker = 0;
    std::size_t heard = 0;
    REQUIRE(std::sscanf(said.c_str(), "number %zu has heard \"%zu %zu", &listener, &talker, &heard) == 3);
    const std::size_t awaited_at = said.find("\" and not \"");
    REQUIRE(awaited_at != std::string::npos);
    std::size_t same_talker = 0;
    std::size_t awaited = 0;
    REQUIRE(std::sscanf(said.c_str() + awaited_at, "\" and not \"%zu %zu", &same_talker, &awaited) == 2);
    CHECK(talker == same_talker);
    CHECK(heard > awaited);
    CHECK_MESSAGE(said.find('"' + chat::line_of(talker, heard) + '"') != std::string::npos, "the line is not whole");
}

TEST_SUITE_END();
