// Chapter 16 keeps a small block for a client that is silent.

#include "tests/support/cases.hpp"
#include "tests/support/chapter.hpp"
#include "tests/support/needs.hpp"
#include "tests/support/pattern.hpp"
#include "tests/support/swarm.hpp"

#include <doctest/doctest.h>

using namespace support;

constinit const chapter_info support::chapter{
    .number = 16, .name = "16_idle_memory", .lets_idle_go = true, .finishes_echoes = true, .engine = true};

TEST_CASE("two hundred clients at once each get their own bytes in order") {
    server running;
    echo_at_once(running.where(), 200, 20'000);
    check_stops(running);
}

TEST_CASE("Ctrl+C without any client ends with nothing in flight" * needs("ctrl-c,last-line")) {
    server running;
    check_stops(running);
    check_nothing_in_flight(running);
}

TEST_CASE("Ctrl+C while clients connect and reset ends with nothing in flight" * needs("ctrl-c,last-line")) {
    server running;
    std::vector<client> clients;
    for (int i = 0; i < 30; ++i) {
        clients.emplace_back(running.where());
        clients.back().send_all("hello");
    }
    running.press_ctrl_c();
    for (client& one : clients) {
        one.reset();
    }
    check_ends(running);
    check_nothing_in_flight(running);
}

TEST_CASE("the room that large messages have needed is given back" * needs("bounded-memory")) {
    server running;
    check_serves(running);
    const std::size_t before = running.memory();
    const std::string large = pattern(1U << 20);
    for (int i = 0; i < 16; ++i) {
        client one(running.where());
        check_same(one.exchange(large), large);
    }
    // A few blocks of 68 KiB are kept for whoever comes next, however many MiB have passed.
    check_growth(running.memory(), before, 2U << 20, "its bytes of memory");
    check_stops(running);
}
