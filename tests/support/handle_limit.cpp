// Chapters 04, 05 and 06 wait for events, and one wait takes 64 handles at most: two of their own and 62 clients.

#include "tests/support/cases.hpp"
#include "tests/support/chapter.hpp"
#include "tests/support/flood.hpp"
#include "tests/support/needs.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace support;

TEST_SUITE_BEGIN("handle limit");

TEST_CASE("62 clients are served and the 63rd waits until one leaves" * doctest::skip(chapter.client_limit == 0) *
          needs("handle-limit")) {
    server running;
    check_limit(running, chapter.client_limit);
    check_stops(running);
}

TEST_CASE("busy clients whose events come first do not starve the last one" *
          doctest::skip(chapter.client_limit == 0)) {
    server running;
    // A wait that finds several events set reports the first of them.
    const flood busy(running.where(), 8);
    client last(running.where());
    for (int i = 0; i < 20; ++i) {
        require_same(last.exchange("my turn"), "my turn");
    }
}

TEST_CASE("62 clients come and go many times and their places are free again" *
          doctest::skip(chapter.client_limit == 0)) {
    server running;
    for (int round = 0; round < 3; ++round) {
        std::vector<client> clients;
        for (std::size_t i = 0; i < chapter.client_limit; ++i) {
            clients.emplace_back(running.where());
            require_same(clients.back().exchange("hello"), "hello");
        }
    }
    check_serves(running);
    check_stops(running);
}

TEST_SUITE_END();
