// Chapter 11 lets idle clients go. See also shutdown.cpp.

#include "tests/support/cases.hpp"
#include "tests/support/chapter.hpp"
#include "tests/support/options.hpp"
#include "tests/support/swarm.hpp"

#include <doctest/doctest.h>

using namespace support;

constinit const chapter_info support::chapter{
    .number = 11, .name = "11_deadlines", .lets_idle_go = true, .engine = true};

TEST_CASE("two hundred clients at once each get their own bytes in order") {
    server running;
    echo_at_once(running.where(), 200, 20'000);
    check_stops(running);
}
