// Chapter 00 has no socket: packets are posted by hand, and two threads take them.

#include "tests/support/chapter.hpp"
#include "tests/support/server.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>

using namespace support;

constinit const chapter_info support::chapter{.number = 0, .name = "00_first_packet"};

namespace {

// What came after `worker N takes `, whichever of the two it was, in the order of the lines.
std::vector<std::string> taken(const std::string& out) {
    std::vector<std::string> result;
    std::istringstream lines(out);
    for (std::string line; std::getline(lines, line);) {
        std::erase(line, '\r');
        const bool of_one = line.starts_with("worker 1 takes ");
        REQUIRE_MESSAGE((of_one || line.starts_with("worker 2 takes ")), line);
        result.push_back(line.substr(15));
    }
    return result;
}

} // namespace

TEST_CASE("each packet is taken once whoever takes it") {
    const finished_program run = run_to_end({});
    CHECK(run.status == 0);
    CHECK(run.err.empty());
    std::vector<std::string> all = taken(run.out);
    std::ranges::sort(all);
    CHECK(all == std::vector<std::string>{"an end", "an end", "packet 1", "packet 2", "packet 3", "packet 4",
                                          "packet 5", "packet 6"});
}

TEST_CASE("each of the two workers takes one end") {
    const finished_program run = run_to_end({});
    std::string out = run.out;
    std::erase(out, '\r');
    CHECK(out.find("worker 1 takes an end\n") != std::string::npos);
    CHECK(out.find("worker 2 takes an end\n") != std::string::npos);
}
