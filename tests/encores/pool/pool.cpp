// The encore pool: an echo server on the system's thread pool, in skip mode.

#include "tests/support/cases.hpp"
#include "tests/support/chapter.hpp"
#include "tests/support/flood.hpp"
#include "tests/support/pattern.hpp"
#include "tests/support/swarm.hpp"

#include <doctest/doctest.h>

using namespace support;

constinit const chapter_info support::chapter{.number = encore, .name = "pool"};

TEST_CASE("clients of every kind are served beside each other") {
    server running;
    check_every_kind_of_client(running);
    check_serves(running);
    check_stops(running);
}

TEST_CASE("it starts no thread of its own however many clients talk") {
    server running;
    check_clients_cost_no_thread(running);
    check_stops(running);
}

TEST_CASE("busy clients keep neither a new one nor Ctrl+C out") {
    server running;
    const flood busy(running.where(), 8);
    for (int i = 0; i < 10; ++i) {
        client late(running.where());
        require_same(late.exchange("my turn"), "my turn");
    }
    check_stops(running);
}

TEST_CASE("a client that has left gives back all that it had") {
    server running;
    check_serves(running);
    const DWORD before = running.handles();
    for (std::size_t i = 0; i < 100; ++i) {
        client one(running.where());
        require_same(one.exchange(pattern(16, i)), pattern(16, i));
        if (i % 2 == 0) {
            one.reset(); // the receive fails
        }
    }
    check_serves(running);
    check_growth(running.handles(), before, 30, "its open handles");
    check_stops(running);
}

TEST_CASE("Ctrl+C ends it with receives and a stuck send in flight") {
    server running;
    check_stops_with_a_stuck_send(running);
}

TEST_SUITE_BEGIN("long");

TEST_CASE("a thousand clients are served and let go") {
    server running;
    echo_at_once(running.where(), 1000, 5'000);
    check_serves(running);
    check_stops(running);
}

TEST_CASE("Ctrl+C in the middle of a flood ends it twenty times in a row") {
    for (int time = 0; time < 20; ++time) {
        server running;
        const flood busy(running.where(), 16);
        busy.wait_until_more(100'000);
        check_stops(running);
    }
}

TEST_SUITE_END();
