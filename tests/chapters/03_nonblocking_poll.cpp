// Chapter 03 serves many clients from one thread, which asks what would not block.

#include "tests/support/cases.hpp"
#include "tests/support/chapter.hpp"
#include "tests/support/flood.hpp"
#include "tests/support/needs.hpp"
#include "tests/support/pattern.hpp"
#include "tests/support/swarm.hpp"

#include <doctest/doctest.h>

using namespace support;

constinit const chapter_info support::chapter{.number = 3, .name = "03_nonblocking_poll"};

TEST_CASE("a hundred clients at once each get their own echo") {
    server running;
    echo_at_once(running.where(), 100, 20'000);
    check_stops(running);
}

TEST_CASE("clients cost no threads" * needs("threads")) {
    server running;
    check_serves(running);
    const std::size_t before = running.threads();
    std::vector<client> clients;
    for (int i = 0; i < 20; ++i) {
        clients.emplace_back(running.where());
        require_same(clients.back().exchange("hello"), "hello");
    }
    CHECK(running.threads() == before);
    check_stops(running);
}

TEST_CASE("sends that take less than they were given lose nothing") {
    server running;
    // Read little at a time while much is on the way: the server's socket is full again and again, and takes what fits.
    client slow(running.where(), small_buffer);
    const std::string sent = pattern(12'000'000); // more than a socket of the system holds
    check_same(slow.exchange(sent, 1500), sent);
    slow.shutdown_send();
    check_orderly(slow.receive_until_end());
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
