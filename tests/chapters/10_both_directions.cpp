// Chapter 10 accepts through the port too, and has a receive and a send in flight for one connection at the same time.
// See also listing_defects.cpp.

#include "tests/support/cases.hpp"
#include "tests/support/chapter.hpp"
#include "tests/support/flood.hpp"
#include "tests/support/needs.hpp"
#include "tests/support/swarm.hpp"

#include <doctest/doctest.h>

using namespace support;

constinit const chapter_info support::chapter{
    .number = 10, .name = "10_both_directions", .repairs_the_listing = true, .engine = true};

TEST_CASE("two hundred clients at once each get their own bytes in order") {
    server running;
    echo_at_once(running.where(), 200, 20'000);
    check_stops(running);
}

TEST_CASE("more clients than accepts in flight connect and reset at once and accepting goes on") {
    server running;
    for (int round = 0; round < 3; ++round) {
        std::vector<client> all;
        for (int i = 0; i < 60; ++i) {
            all.emplace_back(running.where());
        }
        for (client& one : all) {
            one.reset();
        }
    }
    check_serves(running);
    check_stops(running);
}

TEST_CASE("a slow reader stops its own reading and its memory is bounded" * needs("bounded-memory")) {
    server running;
    check_serves(running);
    constexpr std::size_t readers = 4;
    {
        // As many clients as will read nothing: what room they take the heap has from now on. It grows by a MiB at a
        // time.
        std::vector<client> talkers;
        for (std::size_t i = 0; i < readers; ++i) {
            talkers.emplace_back(running.where());
            require_same(talkers.back().exchange("hello"), "hello");
        }
    }
    check_serves(running);
    const std::size_t before = running.memory();
    std::vector<client> unread;
    for (std::size_t i = 0; i < readers; ++i) {
        unread.emplace_back(running.where(), small_buffer);
        fill_the_way(unread.back());
    }
    // What the system's buffers hold is not the server's. It would have to keep some of it, if it did not stop reading.
    check_growth(running.memory(), before, 1U << 20, "its bytes of memory");
    check_serves(running);
    check_stops(running);
}

TEST_CASE("busy clients do not starve a quiet one") {
    server running;
    const flood busy(running.where(), 8);
    client quiet_one(running.where());
    for (int i = 0; i < 20; ++i) {
        require_same(quiet_one.exchange("my turn"), "my turn");
    }
}

TEST_CASE("clients that break off while both directions are in flight harm nobody") {
    server running;
    for (int i = 0; i < 10; ++i) {
        client one(running.where(), small_buffer);
        one.fill(300'000);
        one.reset();
    }
    echo_at_once(running.where(), 20, 20'000);
    check_stops(running);
}
