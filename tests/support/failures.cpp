// Chapters 01 to 08 (later ones: engine_faults.cpp), and the second Ctrl+C of all: what a server does when the system
// refuses it something: sockets, memory, a thread, a handler. It costs a client, or it is waited for; it ends neither
// the server nor its processor's peace. tests/faults makes the calls fail.

#include "tests/support/cases.hpp"
#include "tests/support/chapter.hpp"
#include "tests/support/faulty_server.hpp"

#include <doctest/doctest.h>

#include <optional>

using namespace support;

namespace {

// From chapter 06 on AcceptEx accepts.
bool accepts_by_operation() {
    return chapter.number >= 6;
}

std::size_t lines_with(const std::string& text, std::string_view what) {
    std::size_t count = 0;
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) {
        ++count;
    }
    return count;
}

} // namespace

TEST_SUITE_BEGIN("failures");

TEST_CASE("a lasting failure to accept is told in one line and tried again at leisure" *
          doctest::skip(chapter.number < 2 || chapter.number > 8) * needs_faults()) {
    const std::string told = accepts_by_operation() ? "AcceptEx: 10055" : "accept: 10024";
    faulty_server running(accepts_by_operation() ? "AcceptEx:10055:1-@" : "accept:10024:1-@");
    client served(running.where());
    require_same(served.exchange("hello"), "hello");
    running.switch_on();
    std::optional<client> in_between; // takes the one accept that may have been submitted before
    if (accepts_by_operation()) {
        in_between.emplace(running.where());
    }
    client waiting(running.where());
    waiting.send_all("hello");
    running.wait_for_faults(2);
    const std::uint32_t before = running.faults();
    REQUIRE(waiting.hears_nothing_for(1s));
    for (int i = 0; i < 50; ++i) {
        require_same(served.exchange("still here"), "still here");
    }
    // Four times a second is at leisure. A loop that turns as fast as it can makes thousands of tries in this time; one
    // that tries with each piece of news from other clients makes fifty.
    CHECK(running.faults() - before < 40);
    CHECK(lines_with(running.err(), told) == 1);
    running.switch_off();
    check_same(waiting.receive_exactly(5), "hello");
    check_serves(running);
    check_stops(running);
}

TEST_CASE("clients that leave before they are accepted cost the next one no time" * doctest::skip(chapter.number > 5) *
          needs_faults()) {
    // With a pause of a quarter of a second after each, the next client's patience would be over long before its turn.
    faulty_server running("accept:10054:1-200");
    check_serves(running);
    CHECK(running.faults() == 200);
    check_stops(running);
}

TEST_CASE("an accept that fails and arms nothing leaves nobody waiting" *
          doctest::skip(chapter.number != 4 && chapter.number != 5) * needs_faults()) {
    for (const char* rule : {"accept_arms_nothing:10024:1-3@", "accept_arms_nothing:10054:1-3@"}) {
        INFO(rule);
        faulty_server running(rule);
        running.switch_on();
        check_serves(running);
        CHECK(running.faults() == 3);
        check_stops(running);
    }
}

TEST_CASE("without memory a new client is let go and the others are served" *
          doctest::skip(chapter.number < 2 || chapter.number > 8) * needs_faults()) {
    faulty_server running("new:1:1-@");
    client old(running.where());
    require_same(old.exchange("hello"), "hello");
    running.switch_on();
    client unlucky(running.where());
    unlucky.send_all("hello");
    running.wait_for_faults(1);
    for (int i = 0; i < 20; ++i) {
        require_same(old.exchange("still here"), "still here");
    }
    running.switch_off();
    check_serves(running);
    check_same(old.exchange("still here"), "still here");
    check_stops(running);
}

TEST_CASE("a second Ctrl+C ends a server that cannot end" * doctest::skip(!chapter.handles_ctrl_c) * needs_faults()) {
    faulty_server running("closesocket:hang:1-@");
    client one(running.where());
    require_same(one.exchange("hello"), "hello");
    running.switch_on();
    running.press_ctrl_c();
    running.wait_for_faults(1);
    REQUIRE_FALSE(running.wait(quiet).has_value());
    running.press_ctrl_c();
    CHECK_MESSAGE(running.wait().has_value(), "the server still runs");
}

TEST_CASE("without a handler for Ctrl+C the start fails and says so" *
          doctest::skip(chapter.number != 2 && chapter.number != 3) * needs_faults()) {
    const finished_program run = run_to_end_with_faults("SetConsoleCtrlHandler:8:1", {L"--port", L"0"});
    CHECK(run.status == 1);
    CHECK(run.err.starts_with("SetConsoleCtrlHandler: 8 "));
    CHECK(run.out.empty());
}

TEST_CASE("the host on the command line is read when Winsock has been started" * doctest::skip(chapter.number != 1) *
          needs_faults()) {
    faulty_server running("", {L"--host", L"127.0.0.1"});
    check_serves(running);
}

TEST_SUITE_END();
