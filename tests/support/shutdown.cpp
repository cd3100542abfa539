// How the servers from chapter 12 on end: nothing that was received is lost, nothing is in flight
// (chapter_info::finishes_echoes). And how those from chapter 11 on let clients go that are idle (lets_idle_go).

#include "tests/support/cases.hpp"
#include "tests/support/chapter.hpp"
#include "tests/support/needs.hpp"
#include "tests/support/pattern.hpp"

#include <doctest/doctest.h>

using namespace support;

namespace {

// Far more than a test waits, and than a large echo takes on a machine that has much else to do: whoever is waited for
// has all the time it needs, and a server that waits for nobody but until its grace is over does not end in time.
std::vector<std::wstring> long_grace() {
    return {L"--grace", L"60"};
}

} // namespace

TEST_SUITE_BEGIN("shutdown");

TEST_CASE("Ctrl+C with a hundred idle clients ends at once with nothing in flight" *
          doctest::skip(!chapter.finishes_echoes) * needs("ctrl-c,grace")) {
    server running(long_grace());
    std::vector<client> idle;
    for (int i = 0; i < 100; ++i) {
        idle.emplace_back(running.where());
        require_same(idle.back().exchange("hello"), "hello");
    }
    running.press_ctrl_c();
    for (client& one : idle) {
        const rest_of_stream rest = one.receive_until_end();
        check_rest(rest, "");
        one.close();
    }
    // The grace is for busy clients and not for these.
    check_ends(running);
    check_nothing_in_flight(running);
}

TEST_CASE("Ctrl+C in the middle of a large echo loses nothing of it" * doctest::skip(!chapter.finishes_echoes) *
          needs("ctrl-c,grace")) {
    server running(long_grace());
    client one(running.where(), small_buffer);
    const std::size_t sent = fill_the_way(one);
    REQUIRE(sent > 100'000);
    running.press_ctrl_c();
    const rest_of_stream rest = one.receive_until_end();
    check_rest(rest, std::string(sent, 'f'));
    one.close();
    check_ends(running);
    check_nothing_in_flight(running);
}

TEST_CASE("Ctrl+C does not wait longer than its grace for a client that never reads" *
          doctest::skip(!chapter.finishes_echoes) * needs("ctrl-c,grace")) {
    server running({L"--grace", L"1"});
    client never_reads(running.where(), small_buffer);
    fill_the_way(never_reads);
    running.press_ctrl_c();
    check_cut_off(never_reads);
    check_ends(running);
    check_nothing_in_flight(running);
}

TEST_CASE("after Ctrl+C nobody new is let in" * doctest::skip(!chapter.finishes_echoes) * needs("ctrl-c,grace")) {
    server running({L"--grace", L"1"});
    client busy(running.where(), small_buffer);
    fill_the_way(busy);
    client idle(running.where());
    require_same(idle.exchange("hello"), "hello");
    running.press_ctrl_c();
    // The end of the idle one's stream says that the server is on its way out; the busy one keeps it from ending.
    require_same(idle.receive_until_end().bytes, "");
    bool served = false;
    try {
        client late(running.where());
        late.send_all("me too");
        served = !late.receive_until_end().bytes.empty();
    } catch (const std::exception&) {
        // Refused: as good as being let go without a word.
    }
    if (served) {
        FAIL_CHECK("a client that came after Ctrl+C was served");
    }
    check_ends(running);
    check_nothing_in_flight(running);
}

TEST_CASE("a second Ctrl+C ends the server at once and waits for no client" * doctest::skip(!chapter.finishes_echoes) *
          needs("ctrl-c,grace")) {
    server running(long_grace());
    client never_reads(running.where(), small_buffer);
    fill_the_way(never_reads);
    client idle(running.where());
    require_same(idle.exchange("hello"), "hello");
    running.press_ctrl_c();
    idle.receive_until_end(); // so the first one has been heard
    running.press_ctrl_c();
    // The one who presses twice does not ask for a status.
    if (!running.wait()) {
        FAIL("after a second Ctrl+C it still waits for a client that never reads");
    }
}

TEST_CASE("an idle client is let go and one that talks is not" * doctest::skip(!chapter.lets_idle_go) *
          needs("idle-timeout")) {
    server running({L"--idle-timeout", L"3"});
    client idle(running.where());
    client talking(running.where());
    // Between two words of the talking one the idle one is listened to, for much less than the time-out.
    const deadline until;
    while (!until.passed() && idle.hears_nothing_for(100ms)) {
        require_same(talking.exchange("word"), "word");
    }
    check_same(idle.receive_until_end().bytes, "");
    check_same(talking.exchange("still here"), "still here");
    talking.close();
    check_stops(running);
    if (chapter.finishes_echoes) { // chapter 11 does not count yet
        check_nothing_in_flight(running);
    }
}

TEST_CASE("a client that never reads is idle too and let go" * doctest::skip(!chapter.lets_idle_go) *
          needs("idle-timeout")) {
    server running({L"--idle-timeout", L"2"});
    client never_reads(running.where(), small_buffer);
    fill_the_way(never_reads);
    check_cut_off(never_reads);
    check_serves(running);
    check_stops(running);
    if (chapter.finishes_echoes) { // chapter 11 does not count yet
        check_nothing_in_flight(running);
    }
}

TEST_SUITE_END();
