// The engine with a policy that is no echo (shout.cpp): what a policy may do, and that it holds up nobody.

#include "tests/support/cases.hpp"
#include "tests/support/chapter.hpp"
#include "tests/support/server.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace support;

constinit const chapter_info support::chapter{.number = CHAPTER, .name = PROGRAM};

TEST_CASE("a second policy answers with other bytes than came") {
    server running;
    client one(running.where());
    CHECK(one.exchange("hello") == "HELLO");
    check_stops(running);
}

TEST_CASE("a policy may keep silent and hears what comes next") {
    server running;
    client one(running.where());
    one.send_all("drop");
    CHECK(one.hears_nothing_for(quiet));
    CHECK(one.exchange("hello") == "HELLO");
    check_stops(running);
}

TEST_CASE("a policy may send a block without a byte and hears what comes next") {
    server running;
    client one(running.where());
    one.send_all("nothing");
    CHECK(one.hears_nothing_for(quiet));
    CHECK(one.exchange("hello") == "HELLO");
    check_stops(running);
}

TEST_CASE("a policy may say the last word and the client gets all of it") {
    server running;
    client one(running.where());
    one.send_all("bye");
    const rest_of_stream rest = one.receive_until_end();
    CHECK(rest.bytes == "BYE");
    CHECK(rest.how == ending::orderly);
    check_stops(running);
}

TEST_CASE("a policy is told of the end of a stream and not of a connection that failed") {
    server running;
    client one(running.where());
    CHECK(one.exchange("hello") == "HELLO");
    // Time for the next receive to be in flight: a reset that comes before it is an end under Wine.
    REQUIRE(one.hears_nothing_for(quiet));
    one.reset();
    client last(running.where());
    last.shutdown_send();
    last.receive_until_end();
    check_stops(running);
    std::string out = running.out();
    std::erase(out, '\r');
    CHECK(out.find("told of an end\n") != std::string::npos);
    CHECK(out.find("told of an end\n") == out.rfind("told of an end\n"));
}

TEST_CASE("a handler that does not return holds up nobody else while three workers are free") {
    server running({L"--workers", L"4"});
    client held(running.where());
    REQUIRE(held.exchange("hello") == "HELLO");
    std::vector<client> others;
    for (int i = 0; i < 63; ++i) {
        others.emplace_back(running.where());
        REQUIRE(others.back().exchange("hello") == "HELLO");
    }
    held.send_all("wait");
    REQUIRE(running.line_beginning("waiting").has_value()); // and its worker has taken nobody else meanwhile
    for (int round = 0; round < 5; ++round) {
        for (client& one : others) {
            REQUIRE(one.exchange("me") == "ME");
        }
        client(running.where()).reset(); // and they come and go
    }
    client fresh(running.where());
    REQUIRE(fresh.exchange("new here") == "NEW HERE");
    // Its answer comes when another client says so, and not before.
    REQUIRE(held.hears_nothing_for(quiet));
    REQUIRE(others.front().exchange("go") == "GO");
    CHECK(held.receive_exactly(4) == "WAIT");
    check_stops(running);
}
