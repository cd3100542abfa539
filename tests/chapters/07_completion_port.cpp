// Chapter 07 has one queue for the ends of all operations, one worker.

#include "tests/support/cases.hpp"
#include "tests/support/chapter.hpp"
#include "tests/support/needs.hpp"
#include "tests/support/swarm.hpp"

#include <doctest/doctest.h>

using namespace support;

constinit const chapter_info support::chapter{.number = 7, .name = "07_completion_port"};

TEST_CASE("more clients than a wait for events can take are served at once") {
    server running;
    echo_at_once(running.where(), 200, 5000);
    check_stops(running);
}

TEST_CASE("what is in flight at the end comes back before the server ends") {
    server running;
    client silent(running.where());
    require_same(silent.exchange("hello"), "hello");
    client unread(running.where(), small_buffer);
    fill_the_way(unread);
    // A receive and a send are in flight. The server waits for both of their packets.
    check_stops(running);
}

TEST_CASE("a client that resets costs itself and one line on stderr" * needs("error-line")) {
    server running;
    client one(running.where());
    require_same(one.exchange("hello"), "hello");
    // Time for the next receive to be in flight: a reset that comes before it is an end under Wine.
    require_hears_nothing(one, "it has said nothing more");
    one.reset();
    // Waited for: a Ctrl+C that comes first takes the packet of the reset back without a word.
    CHECK_MESSAGE(running.error_beginning("WSARecv: ").has_value(), "no line tells of the client that has reset");
    check_serves(running);
    check_stops(running);
}
