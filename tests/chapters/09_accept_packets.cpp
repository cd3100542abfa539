// Chapter 09 accepts through the port. See also listing_defects.cpp.

#include "tests/support/cases.hpp"
#include "tests/support/chapter.hpp"
#include "tests/support/needs.hpp"
#include "tests/support/swarm.hpp"

#include <doctest/doctest.h>

using namespace support;

constinit const chapter_info support::chapter{
    .number = 9, .name = "09_accept_packets", .repairs_the_listing = true, .engine = true};

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

TEST_CASE("a thousand clients are connected at once and each is served") {
    server running;
    std::vector<client> all;
    for (int i = 0; i < 1000; ++i) {
        all.emplace_back(running.where());
    }
    for (client& one : all) {
        require_same(one.exchange("hello"), "hello");
    }
    check_stops(running);
}

TEST_CASE("with one accept sixty clients one after the other do not wait for the clock" * needs("accepts")) {
    server running({L"--accepts", L"1"});
    const deadline until; // the clock tries once a second: sixty clients would be three times as long
    for (int i = 0; i < 60; ++i) {
        client one(running.where());
        require_same(one.exchange("hello"), "hello");
        REQUIRE_MESSAGE(!until.passed(), "after ", i + 1, " clients: each of them waited for the clock");
    }
    check_stops(running);
}
