// Chapter 07 has one queue for the ends of all operations, one worker, and counts what the calls returned.

#include "tests/support/cases.hpp"
#include "tests/support/chapter.hpp"
#include "tests/support/failure.hpp"
#include "tests/support/options.hpp"
#include "tests/support/swarm.hpp"

#include <doctest/doctest.h>

using namespace support;

constinit const chapter_info support::chapter{.number = 7, .name = "07_completion_port"};

namespace {

// The number in the line `name: N` that the server prints when it ends.
unsigned tally(const server& ended, const std::string& name) {
    const std::string out = ended.out();
    const std::string start = "\n" + name + ": ";
    const std::size_t at = out.find(start);
    if (at == std::string::npos) {
        throw failure("no line for \"" + name + "\" in: " + out);
    }
    return static_cast<unsigned>(std::stoul(out.substr(at + start.size())));
}

} // namespace

TEST_CASE("more clients than a wait for events can take are served at once") {
    server running;
    echo_at_once(running.where(), 200, 5000);
    check_stops(running);
}

TEST_CASE("each outcome of a submit and of a dequeue is met and counted") {
    if (needs_more_than_a_port("the counts at its end")) {
        return;
    }
    server running;
    client one(running.where());
    REQUIRE(one.exchange("hello") == "hello");
    // As long as four waits of the worker: it wakes without a packet.
    REQUIRE(one.hears_nothing_for(2000ms));
    one.reset();
    check_serves(running);
    check_stops(running);

    CHECK(tally(running, "submit immediate") >= 1); // a send of a few bytes
    CHECK(tally(running, "submit pending") >= 1);   // a receive before anything has come
    CHECK(tally(running, "packet success") >= 3);   // a receive, a send, and a receive of nothing
    CHECK(tally(running, "packet failure") >= 1);   // the receive that the reset ended
    CHECK(tally(running, "wait timed out") >= 1);
    CHECK(tally(running, "posted") == 1); // the packet that stops the worker
}

TEST_CASE("each submit that was not refused has brought one packet") {
    if (needs_more_than_a_port("the counts at its end")) {
        return;
    }
    server running;
    echo_at_once(running.where(), 20, 50'000);
    client silent(running.where());
    REQUIRE(silent.exchange("hello") == "hello");
    client unread(running.where(), small_buffer);
    REQUIRE(unread.fill(more_than_fits) < more_than_fits);
    // Two of them are in flight at the end, a receive and a send: their packets come too.
    check_stops(running);
    CHECK(tally(running, "submit immediate") + tally(running, "submit pending") ==
          tally(running, "packet success") + tally(running, "packet failure"));
    CHECK(tally(running, "packet failure") >= 1); // the receive; a send that was cancelled half-way may be a success
}
