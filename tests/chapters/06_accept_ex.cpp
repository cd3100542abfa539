// Chapter 06 accepts by an operation, AcceptEx. The folder's second program, 06_first_data, has it wait for the
// client's first bytes too.

#include "tests/support/cases.hpp"
#include "tests/support/chapter.hpp"
#include "tests/support/flood.hpp"
#include "tests/support/needs.hpp"
#include "tests/support/pattern.hpp"
#include "tests/support/swarm.hpp"

#include <doctest/doctest.h>

using namespace support;

constinit const chapter_info support::chapter{.number = 6, .name = "06_accept_ex", .client_limit = 62};

TEST_CASE("a client that is accepted is named with its own address" * needs("accepted-line")) {
    server running;
    client first(running.where());
    client second(running.where());
    CHECK(running.line_beginning("accepted " + first.own_address()).has_value());
    CHECK(running.line_beginning("accepted " + second.own_address()).has_value());
    check_stops(running);
}

TEST_CASE("with first data a silent client holds up the others until it speaks" * needs_second_program()) {
    second_program running("06_first_data");
    client silent(running.where());
    client second(running.where());
    client third(running.where());
    second.send_all("second");
    third.send_all("third");
    REQUIRE(second.hears_nothing_for(quiet));
    REQUIRE(third.hears_nothing_for(quiet));
    check_same(silent.exchange("sorry"), "sorry");
    check_same(second.receive_exactly(6), "second");
    check_same(third.receive_exactly(5), "third");
    check_stops(running);
}

TEST_CASE("with first data a silent client that leaves sets the others free" * needs_second_program()) {
    second_program running("06_first_data");
    client silent(running.where());
    client second(running.where());
    second.send_all("second");
    REQUIRE(second.hears_nothing_for(quiet));
    silent.close();
    check_same(second.receive_exactly(6), "second");
    check_stops(running);
}

TEST_CASE("with first data and patience the silent client is ended and the others are served" *
          needs_second_program()) {
    second_program running("06_first_data", {L"--patience", L"2"});
    client silent(running.where());
    client second(running.where());
    second.send_all("second");
    REQUIRE(second.hears_nothing_for(quiet));
    check_same(second.receive_exactly(6), "second");
    check_same(silent.receive_until_end().bytes, "");
    // A client that has spoken is no longer under that clock.
    CHECK(second.hears_nothing_for(2500ms));
    check_same(second.exchange("still here"), "still here");
    check_stops(running);
}

TEST_CASE("with first data Ctrl+C ends the server beside a client that is silent and one that never reads" *
          needs_second_program()) {
    second_program running("06_first_data");
    client never_reads(running.where(), small_buffer);
    REQUIRE(never_reads.fill(more_than_fits) < more_than_fits);
    client silent(running.where());
    check_stops(running);
    check_same(silent.receive_until_end().bytes, "");
    CHECK(never_reads.is_cut_off());
}

TEST_CASE("with first data the first message comes back whole whatever its size" * needs_second_program()) {
    second_program running("06_first_data");
    for (const std::size_t size : {1U, 976U, 1024U, 4096U, 4097U, 100'000U}) {
        client one(running.where());
        const std::string first = pattern(size, size);
        INFO(size, " bytes");
        require_same(one.exchange(first), first);
    }
    echo_at_once(running.where(), 40, 5000);
    check_stops(running);
}
