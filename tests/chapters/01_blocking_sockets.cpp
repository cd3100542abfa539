// Chapter 01 serves one client at a time.

#include "tests/support/cases.hpp"
#include "tests/support/chapter.hpp"
#include "tests/support/faulty_server.hpp"

#include <doctest/doctest.h>

using namespace support;

constinit const chapter_info support::chapter{.number = 1, .name = "01_blocking_sockets", .handles_ctrl_c = false};

TEST_CASE("the second client waits until the first one leaves and then gets all that it sent") {
    server running;
    client first(running.where());
    require_same(first.exchange("first"), "first");
    client second(running.where());
    client third(running.where());
    second.send_all("second");
    third.send_all("third");
    REQUIRE(second.hears_nothing_for(quiet));
    first.close();
    check_same(second.receive_exactly(6), "second");
    // The queue is served in order, one at a time.
    REQUIRE(third.hears_nothing_for(quiet));
    second.close();
    check_same(third.receive_exactly(5), "third");
    third.close();
    check_stops(running);
}

TEST_CASE("when accept fails for a while the client waits and one line says so" * needs_faults()) {
    faulty_server running("accept:10024:1-4");
    client one(running.where());
    check_same(one.exchange("hello"), "hello");
    CHECK(running.faults() == 4);
    const std::string told = "accept: 10024";
    CHECK(running.err().find(told) == 0);
    CHECK(running.err().rfind(told) == 0);
    one.close();
    check_stops(running);
}
