// Chapter 15 takes many packets with one look.

#include "tests/support/cases.hpp"
#include "tests/support/chapter.hpp"
#include "tests/support/needs.hpp"
#include "tests/support/swarm.hpp"

#include <doctest/doctest.h>

using namespace support;

constinit const chapter_info support::chapter{
    .number = 15, .name = "15_batches", .lets_idle_go = true, .finishes_echoes = true, .engine = true};

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
