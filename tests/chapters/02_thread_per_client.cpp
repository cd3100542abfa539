// Chapter 02 serves many clients, with a thread for each.

#include "tests/support/cases.hpp"
#include "tests/support/chapter.hpp"
#include "tests/support/needs.hpp"
#include "tests/support/swarm.hpp"

#include <doctest/doctest.h>

using namespace support;

constinit const chapter_info support::chapter{.number = 2, .name = "02_thread_per_client"};

TEST_CASE("fifty clients at once each get their own echo") {
    server running;
    echo_at_once(running.where(), 50, 20'000);
    check_stops(running);
}

TEST_CASE("every client costs a thread" * needs("threads")) {
    server running;
    const std::size_t before = running.threads();
    std::vector<client> clients;
    for (int i = 0; i < 20; ++i) {
        clients.emplace_back(running.where());
        require_same(clients.back().exchange("hello"), "hello");
    }
    CHECK(running.threads() == before + 20);
    check_stops(running);
}

TEST_CASE("Ctrl+C ends the threads of silent clients too" * needs("ctrl-c")) {
    server running;
    std::vector<client> silent;
    for (int i = 0; i < 20; ++i) {
        silent.emplace_back(running.where());
        require_same(silent.back().exchange("hello"), "hello");
    }
    check_stops(running);
    for (client& one : silent) {
        check_same(one.receive_until_end().bytes, "");
    }
}
