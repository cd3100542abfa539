// The encore coroutines: a function for each client that stands still while its operation is in flight.

#include "tests/support/cases.hpp"
#include "tests/support/chapter.hpp"
#include "tests/support/flood.hpp"
#include "tests/support/swarm.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace support;

constinit const chapter_info support::chapter{.number = encore, .name = "coroutines"};

TEST_CASE("clients of every kind are served beside each other") {
    server running;
    check_every_kind_of_client(running);
    check_serves(running);
    check_stops(running);
}

TEST_CASE("a client that stands still costs no thread") {
    server running({L"--workers", L"2"});
    check_serves(running);
    check_clients_cost_no_thread(running);
    check_stops(running);
}

TEST_CASE("a client that resets ends its own function and no other") {
    server running({L"--workers", L"2"});
    client stays(running.where());
    for (int i = 0; i < 20; ++i) {
        client leaves(running.where());
        require_same(leaves.exchange("hello"), "hello");
        if (i == 0) { // time for the next receive to be in flight: a reset that comes before it is an end under Wine
            require_hears_nothing(leaves, "it has said nothing more");
        }
        leaves.reset();
        require_same(stays.exchange("and I"), "and I");
    }
    CHECK(running.error_beginning("WSARecv: ").has_value());
    check_stops(running);
}

TEST_CASE("Ctrl+C ends functions that stand still in a receive or in a stuck send") {
    server running;
    std::vector<client> silent;
    for (int i = 0; i < 30; ++i) {
        silent.emplace_back(running.where());
        require_same(silent.back().exchange("hello"), "hello");
    }
    check_stops_with_a_stuck_send(running, true);
}

TEST_CASE("Ctrl+C ends it while functions run") {
    for (int round = 0; round < 3; ++round) {
        server running({L"--workers", L"4"});
        const flood busy(running.where(), 8);
        client late(running.where());
        require_same(late.exchange("my turn"), "my turn");
        check_stops(running);
    }
}

TEST_SUITE_BEGIN("long");

TEST_CASE("a thousand clients are served at once by four workers") {
    server running({L"--workers", L"4"});
    echo_at_once(running.where(), 1000, 5'000);
    check_serves(running);
    check_stops(running);
}

TEST_CASE("Ctrl+C in a storm leaves nothing in flight") {
    for (int round = 0; round < 20; ++round) {
        server running({L"--workers", L"8"});
        const flood busy(running.where(), 16);
        client late(running.where());
        require_same(late.exchange("my turn"), "my turn");
        check_stops(running);
    }
}

TEST_SUITE_END();
