// Chapter 04 waits for event objects, and one wait takes 64 of them at most.

#include "tests/support/cases.hpp"
#include "tests/support/chapter.hpp"
#include "tests/support/flood.hpp"
#include "tests/support/options.hpp"

#include <doctest/doctest.h>

using namespace support;

constinit const chapter_info support::chapter{.number = 4, .name = "04_event_select"};

TEST_CASE("62 clients are served and the 63rd waits until one leaves") {
    if (needs_more_than_a_port("a wait for 64 handles at most")) {
        return;
    }
    server running;
    check_limit(running, 62);
    check_stops(running);
}

TEST_CASE("busy clients whose events come first do not starve the last one") {
    server running;
    // A wait that finds several events set reports the first of them.
    const flood busy(running.where(), 8);
    client last(running.where());
    for (int i = 0; i < 20; ++i) {
        REQUIRE(last.exchange("my turn") == "my turn");
    }
}

TEST_CASE("62 clients come and go many times and their places are free again") {
    server running;
    for (int round = 0; round < 3; ++round) {
        std::vector<client> clients;
        for (int i = 0; i < 62; ++i) {
            clients.emplace_back(running.where());
            REQUIRE(clients.back().exchange("hello") == "hello");
        }
    }
    check_serves(running);
    check_stops(running);
}
