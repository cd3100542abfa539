// The encore chat: chapter 17's engine, with a policy that sends what one client says to all others.

#include "tests/encores/chat/crowd.hpp"
#include "tests/support/cases.hpp"
#include "tests/support/chapter.hpp"
#include "tests/support/faulty_server.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

using namespace support;

constinit const chapter_info support::chapter{.number = encore, .name = "chat"};

namespace {

void check_says(const server& ended, std::string_view start) {
    CHECK_MESSAGE(ended.line_beginning(start).has_value(), "it does not say \"" << start << "\": " << ended.out());
}

// A client that reads nothing, of three guests the last one, and what the first one says until that is too much. All of
// it is heard by the second one. \return how many lines there were
std::size_t talk_until_cut_off(std::vector<chat::guest>& guests) {
    std::size_t lines = 0;
    for (; !guests[2].native().is_cut_off(0ms); ++lines) {
        const std::string line = std::to_string(lines) + std::string(60'000, '.');
        guests[0].says(line);
        require_same(guests[1].hears(), line);
        REQUIRE_MESSAGE(lines < more_than_fits / line.size(), "somebody who reads nothing is never let go");
    }
    return lines;
}

} // namespace

TEST_CASE("a line goes to all others and not back to who said it") {
    server running;
    auto guests = chat::company(running, 4);
    guests[2].says("hello");
    for (const std::size_t other : {0U, 1U, 3U}) {
        require_same(guests[other].hears(), "hello");
    }
    guests[0].says("welcome");
    for (const std::size_t other : {1U, 2U, 3U}) {
        require_same(guests[other].hears(), "welcome");
    }
    check_stops(running);
    CHECK_MESSAGE(running.err().empty(), "it complains: " << running.err());
    check_nothing_in_flight(running);
}

TEST_CASE("a line that comes in pieces is one line and several in one piece are several") {
    server running;
    auto guests = chat::company(running, 2);
    for (const char c : std::string{"torn"}) {
        guests[0].native().send_all({&c, 1});
        CHECK(guests[1].native().hears_nothing_for(10ms));
    }
    guests[0].native().send_all(" apart\none\ntwo\nand a beg");
    for (const char* line : {"torn apart", "one", "two"}) {
        require_same(guests[1].hears(), line);
    }
    guests[0].says("inning");
    require_same(guests[1].hears(), "and a beginning");
    check_stops(running);
}

TEST_CASE("half a line goes to nobody when its client leaves or resets") {
    server running;
    auto guests = chat::company(running, 4);
    guests[1].native().send_all("who leaves in the mid");
    guests[1].native().close();
    guests[2].native().send_all("who resets in the mid");
    guests[2].native().reset();
    REQUIRE(guests[0].native().hears_nothing_for(quiet));
    guests[3].says("they are gone");
    require_same(guests[0].hears(), "they are gone");
    check_stops(running);
}

TEST_CASE("a client that half-closes is sent what waits for it and then the end") {
    server running;
    auto guests = chat::company(running, 2);
    guests[1].says("my last word");
    guests[1].native().shutdown_send();
    const rest_of_stream rest = guests[1].native().receive_until_end();
    check_orderly(rest);
    require_same(guests[0].hears(), "my last word");
    check_stops(running);
}

TEST_CASE("a client that reads nothing is let go when its queue is full and the others hear every line") {
    server running({L"--queue", L"200000"});
    auto guests = chat::company(running, 3, 1);
    talk_until_cut_off(guests);
    guests[0].says("still here");
    require_same(guests[1].hears(), "still here");
    check_stops(running);
    check_says(running, "chat: ");
    check_contains(running.out(), ", 1 clients too slow", "what it says at its end");
    check_nothing_in_flight(running);
}

TEST_CASE("a line longer than any is costs its client and no other") {
    server running;
    auto guests = chat::company(running, 3);
    guests[2].native().send_all(std::string(66'000, 'x'));
    CHECK_MESSAGE(guests[2].native().is_cut_off(), "a line may be as long as one likes");
    guests[0].says("still here");
    require_same(guests[1].hears(), "still here");
    check_stops(running);
}

TEST_CASE("a send that another client's worker submits and that fails at once costs its client alone" *
          needs_faults()) {
    faulty_server running("WSASend:10055:1@", {L"--workers", L"1"});
    auto guests = chat::company(running, 3);
    running.switch_on();
    guests[2].says("who hears me?");
    require_same(guests[1].hears(), "who hears me?"); // the first guest's send was the one that failed
    CHECK_MESSAGE(guests[0].native().is_cut_off(), "it was not sent what the others were");
    guests[1].says("two of us");
    require_same(guests[2].hears(), "two of us");
    CHECK(running.faults() == 1);
    check_stops(running);
    check_nothing_in_flight(running);
}

TEST_CASE("what waits for a client goes out with few sends" * needs_faults()) {
    faulty_server running("WSASend:10055:1-0@", {L"--queue", L"100000000"}); // none fails, all are counted
    auto guests = chat::company(running, 3, 1);
    running.switch_on();
    constexpr std::size_t lines = 200;
    const std::string line(60'000, '.');
    for (std::size_t i = 0; i < lines; ++i) { // more than the way to the third one holds
        guests[0].says(line);
        require_same(guests[1].hears(), line);
    }
    for (std::size_t i = 0; i < lines; ++i) {
        require_same(guests[2].hears(), line);
    }
    CHECK_MESSAGE(running.calls() < 2 * lines - 40, "each of " << lines << " lines had two sends of its own");
    check_stops(running);
}

TEST_CASE("lines of several talkers are whole and in order with one worker and with many") {
    for (const std::vector<std::wstring>& how :
         {std::vector<std::wstring>{L"--workers", L"1"}, {L"--workers", L"8"}, {L"--workers", L"8", L"--no-skip"}}) {
        server running(how);
        chat::crowd crowd{running, 6, 2, 4, 60};
        crowd.talk_to_the_end();
        check_stops(running);
        check_nothing_in_flight(running);
    }
}

TEST_SUITE_BEGIN("long");

TEST_CASE("fifty clients of every manner hear thirty-six thousand lines whole and in order") {
    server running({L"--workers", L"8", L"--queue", L"100000000"});
    chat::crowd crowd{running, 30, 10, 10, 1200};
    CHECK(crowd.talk_to_the_end() == 36'000 * 39);
    check_stops(running);
    CHECK_MESSAGE(running.err().empty(), "it complains: " << running.err());
    check_nothing_in_flight(running);
}

TEST_CASE("Ctrl+C in the middle of a storm ends it and tears no line") {
    server running({L"--grace", L"1"});
    chat::crowd crowd{running, 30, 10, 10, 100'000};
    crowd.talk_until_heard(50'000);
    running.press_ctrl_c();
    crowd.listen_until_ended();
    check_ends(running);
    check_nothing_in_flight(running);
}

TEST_CASE("with the queue that it has by default a client that reads nothing is let go") {
    server running;
    auto guests = chat::company(running, 3, 1);
    CHECK_MESSAGE(talk_until_cut_off(guests) > 17, "its queue cannot have held a mebibyte");
    check_stops(running);
    check_contains(running.out(), ", 1 clients too slow", "what it says at its end");
}

TEST_SUITE_END();
