// How the servers from chapter 12 on end: nothing that was received is lost, nothing is in flight. They are told apart
// by chapter_info::finishes_echoes.

#include "tests/support/cases.hpp"
#include "tests/support/chapter.hpp"
#include "tests/support/options.hpp"
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
          doctest::skip(!chapter.finishes_echoes)) {
    if (needs_more_than_a_port("--grace")) {
        return;
    }
    server running(long_grace());
    std::vector<client> idle;
    for (int i = 0; i < 100; ++i) {
        idle.emplace_back(running.where());
        REQUIRE(idle.back().exchange("hello") == "hello");
    }
    running.press_ctrl_c();
    for (client& one : idle) {
        const rest_of_stream rest = one.receive_until_end();
        CHECK(rest.bytes.empty());
        CHECK(rest.how == ending::orderly);
        one.close();
    }
    // The grace is for busy clients and not for these.
    check_ends(running);
    check_nothing_in_flight(running);
}

TEST_CASE("Ctrl+C in the middle of a large echo loses nothing of it" * doctest::skip(!chapter.finishes_echoes)) {
    if (needs_more_than_a_port("--grace")) {
        return;
    }
    server running(long_grace());
    client one(running.where(), small_buffer);
    const std::size_t sent = one.fill(more_than_fits);
    REQUIRE(sent > 100'000);
    REQUIRE(sent < more_than_fits);
    running.press_ctrl_c();
    const rest_of_stream rest = one.receive_until_end();
    CHECK(rest.bytes.size() == sent);
    CHECK(rest.bytes.find_first_not_of('f') == std::string::npos);
    CHECK(rest.how == ending::orderly);
    one.close();
    check_ends(running);
    check_nothing_in_flight(running);
}

TEST_CASE("Ctrl+C does not wait longer than its grace for a client that never reads" *
          doctest::skip(!chapter.finishes_echoes)) {
    if (needs_more_than_a_port("--grace")) {
        return;
    }
    server running({L"--grace", L"1"});
    client never_reads(running.where(), small_buffer);
    REQUIRE(never_reads.fill(more_than_fits) < more_than_fits);
    running.press_ctrl_c();
    CHECK(never_reads.is_cut_off());
    check_ends(running);
    check_nothing_in_flight(running);
}

TEST_CASE("after Ctrl+C nobody new is let in" * doctest::skip(!chapter.finishes_echoes)) {
    if (needs_more_than_a_port("--grace")) {
        return;
    }
    server running({L"--grace", L"1"});
    client busy(running.where(), small_buffer);
    REQUIRE(busy.fill(more_than_fits) < more_than_fits);
    client idle(running.where());
    REQUIRE(idle.exchange("hello") == "hello");
    running.press_ctrl_c();
    // The end of the idle one's stream says that the server is on its way out; the busy one keeps it from ending.
    REQUIRE(idle.receive_until_end().bytes.empty());
    bool served = false;
    try {
        client late(running.where());
        late.send_all("me too");
        served = !late.receive_until_end().bytes.empty();
    } catch (const std::exception&) {
        // Refused: as good as being let go without a word.
    }
    CHECK_FALSE(served);
    check_ends(running);
    check_nothing_in_flight(running);
}

TEST_CASE("an idle client is let go and one that talks is not" * doctest::skip(!chapter.finishes_echoes)) {
    if (needs_more_than_a_port("--idle-timeout")) {
        return;
    }
    server running({L"--idle-timeout", L"3"});
    client idle(running.where());
    client talking(running.where());
    // Between two words of the talking one the idle one is listened to, for much less than the time-out.
    const deadline until;
    while (!until.passed() && idle.hears_nothing_for(100ms)) {
        REQUIRE(talking.exchange("word") == "word");
    }
    CHECK(idle.receive_until_end().bytes.empty());
    CHECK(talking.exchange("still here") == "still here");
    talking.close();
    check_stops(running);
    check_nothing_in_flight(running);
}

TEST_CASE("a client that never reads is idle too and let go" * doctest::skip(!chapter.finishes_echoes)) {
    if (needs_more_than_a_port("--idle-timeout")) {
        return;
    }
    server running({L"--idle-timeout", L"3"});
    client never_reads(running.where(), small_buffer);
    REQUIRE(never_reads.fill(more_than_fits) < more_than_fits);
    CHECK(never_reads.is_cut_off());
    check_serves(running);
    check_stops(running);
    check_nothing_in_flight(running);
}

TEST_SUITE_END();
