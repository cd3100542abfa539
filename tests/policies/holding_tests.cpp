// The engine of chapter 17 with a policy whose workers send on the connections of others (holding.cpp): whoever is held
// lives.

#include "tests/support/cases.hpp"
#include "tests/support/chapter.hpp"
#include "tests/support/server.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <string_view>

using namespace support;

constinit const chapter_info support::chapter{.number = 17, .name = "holding"};

namespace {

constexpr int accepts = 4; // in flight all the time, as holding.cpp has them

std::string says(client& one, std::string_view what) {
    one.send_all(what);
    std::string answer = one.receive_exactly(1);
    while (const std::optional<std::string> more = one.receive_some(64)) {
        answer += *more;
    }
    return answer;
}

// Asks until so many operations are in flight. \return how many connections there are then
std::string connections_when(client& asks, int in_flight) {
    const std::string rest = " connections and " + std::to_string(in_flight) + " in flight";
    const deadline until;
    for (;;) {
        std::string counted = says(asks, "count");
        if (counted.ends_with(rest)) {
            return counted.erase(counted.size() - rest.size());
        }
        REQUIRE_MESSAGE(!until.passed(), "never" << rest << " but " << counted);
    }
}

} // namespace

TEST_CASE("a connection that another client's worker holds outlives its own last operation") {
    server running;
    client other(running.where());
    REQUIRE(says(other, "mark") == "marked");
    client holder(running.where());
    client asks(running.where());
    REQUIRE(connections_when(asks, accepts + 2) == "3"); // the receives of the other two

    holder.send_all("hold");
    REQUIRE(running.line_beginning("holding").has_value());
    REQUIRE(connections_when(asks, accepts + 1) == "3");
    other.reset();
    // One worker waits and the other one does everything else, one after the other. So the end of the other client is
    // handled when it counts no more.
    CHECK(connections_when(asks, accepts) == "3");
    CHECK(says(asks, "try") == "refused"); // it is closed

    REQUIRE(says(asks, "go") == "gone on");
    CHECK(holder.receive_exactly(4) == "sent"); // too late, and to nobody
    CHECK(connections_when(asks, accepts + 1) == "2");
    check_stops(running);
    CHECK_MESSAGE(running.err().empty(), "it complains: " << running.err());
    check_nothing_in_flight(running);
}

TEST_CASE("what another client's worker sends while it holds a connection arrives") {
    server running;
    client other(running.where());
    REQUIRE(says(other, "mark") == "marked");
    client holder(running.where());
    client asks(running.where());
    holder.send_all("hold");
    REQUIRE(running.line_beginning("holding").has_value());
    REQUIRE(says(asks, "go") == "gone on");
    CHECK(other.receive_exactly(16) == "from a neighbour");
    CHECK(holder.receive_exactly(4) == "sent");
    check_stops(running);
    check_nothing_in_flight(running);
}
