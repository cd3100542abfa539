// What the servers of chapters 12 and 17 stand for a long time, or often: the one with all of part three and the one
// with everything.

#include "tests/support/cases.hpp"
#include "tests/support/chapter.hpp"
#include "tests/support/flood.hpp"
#include "tests/support/needs.hpp"
#include "tests/support/pattern.hpp"
#include "tests/support/storm.hpp"
#include "tests/support/swarm.hpp"

#include <doctest/doctest.h>

using namespace support;

TEST_SUITE_BEGIN("long");

TEST_CASE("five thousand clients connect and talk and leave" *
          doctest::skip(chapter.number != 12 && chapter.number != 17)) {
    server running;
    const DWORD before = running.handles();
    for (std::size_t i = 0; i < 5000; ++i) {
        client one(running.where());
        const std::string word = pattern(32, i);
        require_same(one.exchange(word), word);
        if (i % 3 == 0) {
            one.reset();
        }
    }
    check_serves(running);
    check_growth(running.handles(), before, 200, "its open handles");
    check_stops(running);
    check_nothing_in_flight(running);
}

TEST_CASE("among all kinds of hostile clients at once the others get their bytes" *
          doctest::skip(chapter.number != 12 && chapter.number != 17)) {
    server running;
    check_serves(running);
    const DWORD before = running.handles();
    {
        const storm all_kinds(running.where());
        const flood busy(running.where(), 4);
        client faithful(running.where());
        for (std::size_t round = 1; round <= 10; ++round) {
            all_kinds.wait_for_rounds(20 * round);
            const std::string large = pattern(100'000, round);
            check_same(faithful.exchange(large), large);
            echo_at_once(running.where(), 20, 5000);
        }
    }
    check_serves(running);
    check_growth(running.handles(), before, 300, "its open handles");
    check_stops(running);
    check_nothing_in_flight(running);
}

TEST_CASE("Ctrl+C in the middle of a storm ends with nothing in flight ten times in a row" *
          doctest::skip(chapter.number != 12 && chapter.number != 17) * needs("ctrl-c,grace,last-line")) {
    for (std::size_t time = 1; time <= 10; ++time) {
        INFO("time ", time);
        server running({L"--grace", L"1"});
        const storm all_kinds(running.where());
        const flood busy(running.where(), 4);
        all_kinds.wait_for_rounds(2 * time); // not always at the same moment
        running.press_ctrl_c();
        check_ends(running);
        check_nothing_in_flight(running);
    }
}

TEST_SUITE_END();
