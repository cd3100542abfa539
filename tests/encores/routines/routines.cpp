// The encore routines: one thread, which echoes in completion routines and between its alertable waits.

#include "tests/support/cases.hpp"
#include "tests/support/chapter.hpp"
#include "tests/support/flood.hpp"
#include "tests/support/swarm.hpp"

#include <doctest/doctest.h>

using namespace support;

constinit const chapter_info support::chapter{.number = encore, .name = "routines"};

TEST_CASE("clients of every kind are served beside each other") {
    server running;
    check_every_kind_of_client(running);
    check_serves(running);
    check_stops(running);
}

TEST_CASE("more clients than one wait for events takes are served") {
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

TEST_CASE("Ctrl+C ends it with receives and a stuck send in flight") {
    server running;
    check_stops_with_a_stuck_send(running);
}

TEST_SUITE_BEGIN("long");

TEST_CASE("a thousand clients are served by one thread and let go") {
    server running;
    echo_at_once(running.where(), 1000, 5'000);
    check_serves(running);
    check_stops(running);
}

TEST_SUITE_END();
