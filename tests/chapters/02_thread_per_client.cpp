// Chapter 02 serves many clients, with a thread for each.

#include "tests/support/cases.hpp"
#include "tests/support/chapter.hpp"
#include "tests/support/faulty_server.hpp"
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

TEST_CASE("a wait that fails ends the program with its error and joins every thread" * needs_faults()) {
    faulty_server running("select:10050:1-@");
    std::vector<client> silent;
    for (int i = 0; i < 5; ++i) {
        silent.emplace_back(running.where());
        require_same(silent.back().exchange("hello"), "hello");
    }
    running.switch_on();
    const std::optional<DWORD> status = running.wait();
    REQUIRE_MESSAGE(status.has_value(), "the server still runs");
    CHECK(*status == 1); // 3 would be the end by std::terminate
    CHECK(running.err().find("select: 10050") != std::string::npos);
    for (client& one : silent) {
        check_same(one.receive_until_end().bytes, "");
    }
}

TEST_CASE("a client that has gone before it is accepted does not keep Ctrl+C waiting" * needs_faults()) {
    // select says that somebody waits, and nobody does.
    faulty_server running("select_says_ready:1:1-@");
    running.switch_on();
    running.wait_for_faults(3);
    running.switch_off();
    check_stops(running);
}

TEST_CASE("without a thread or the memory for one a new client is let go and the next one served" * needs_faults()) {
    for (const char* rule : {"thread:8:1@", "new:1:1@", "new:1:2@"}) {
        INFO(rule);
        faulty_server running(rule);
        client old(running.where());
        require_same(old.exchange("hello"), "hello");
        running.switch_on();
        client unlucky(running.where());
        check_same(unlucky.receive_until_end().bytes, "");
        CHECK(running.faults() == 1);
        check_same(old.exchange("still here"), "still here");
        check_serves(running);
        check_stops(running);
    }
}
