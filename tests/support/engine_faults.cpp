// What the servers from chapter 09 on do when calls fail that should not: chapter_info::engine tells them apart.

#include "tests/support/cases.hpp"
#include "tests/support/chapter.hpp"
#include "tests/support/faulty_server.hpp"
#include "tests/support/pattern.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace support;

namespace {

std::size_t lines(const std::string& text) {
    return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

// A second rule, under which no call fails. It counts those that no rule before it has made fail.
constexpr char counted_accepts[] = "AcceptEx:10055:1-0";

} // namespace

TEST_SUITE_BEGIN("faults");

TEST_CASE("a lack of sockets for accepts is told in one line and the clock tries again" *
          doctest::skip(!chapter.engine) * needs_faults()) {
    faulty_server running(std::string("WSASocketW:10024:1-@ ") + counted_accepts, {L"--accepts", L"2"});
    check_serves(running);
    running.wait_for_calls(3, 1); // two at the start, one for the client that came: both have their sockets again
    running.switch_on();
    client first(running.where()); // the accepts that were in flight still serve
    require_same(first.exchange("hello"), "hello");
    client second(running.where());
    require_same(second.exchange("hello"), "hello");
    client waiting(running.where());
    running.wait_for_faults(3); // two packets and a second later the clock
    CHECK_MESSAGE(running.faults() < 50, "it tried ", running.faults(), " times: a hot loop");
    CHECK_MESSAGE(lines(running.err()) == 1, running.err());
    running.switch_off();
    check_same(waiting.exchange("at last"), "at last");
    check_serves(running);
    check_stops(running);
}

TEST_CASE("AcceptEx that fails at once is tried again by the clock" * doctest::skip(!chapter.engine) * needs_faults()) {
    faulty_server running(std::string("AcceptEx:10055:1-@ ") + counted_accepts, {L"--accepts", L"2"});
    check_serves(running);
    running.wait_for_calls(3, 1); // two at the start, one for the client that came: from here on each one fails
    running.switch_on();
    client(running.where()).close();
    client(running.where()).close();
    running.wait_for_faults(3);
    CHECK_MESSAGE(lines(running.err()) == 1, running.err());
    running.switch_off();
    check_serves(running);
    check_stops(running);
}

TEST_CASE("a receive or a send that fails at once costs its client and no other" * doctest::skip(!chapter.engine) *
          needs_faults()) {
    for (const char* rule : {"WSARecv:10055:3-6@", "WSASend:10055:1-4@"}) {
        faulty_server running(rule);
        client other(running.where());
        require_same(other.exchange("hello"), "hello");
        running.switch_on();
        for (int i = 0; i < 12 && running.faults() < 4; ++i) {
            client one(running.where());
            one.send_all("hello");
            one.shutdown_send(); // with its echo or without: its stream ends
            one.receive_until_end();
        }
        running.switch_off();
        CHECK(running.faults() == 4);
        check_same(other.exchange("still here"), "still here");
        check_serves(running);
        check_stops(running);
    }
}

TEST_CASE("a lack of memory for a client costs that client" * doctest::skip(!chapter.engine) * needs_faults()) {
    faulty_server running("new:700:1-3@"); // a connection is larger than that
    client other(running.where());
    require_same(other.exchange("hello"), "hello");
    running.switch_on();
    for (int i = 0; i < 3; ++i) {
        client one(running.where());
        check_same(one.receive_until_end().bytes, "");
    }
    running.switch_off();
    CHECK(running.faults() == 3);
    check_same(other.exchange("still here"), "still here");
    check_serves(running);
    check_stops(running);
}

TEST_CASE("who is connected is served without a single allocation" * doctest::skip(!chapter.engine) * needs_faults()) {
    faulty_server running("new:1:1-@", {L"--workers", L"4"});
    std::vector<client> connected;
    for (int i = 0; i < 20; ++i) {
        connected.emplace_back(running.where());
        require_same(connected.back().exchange("hello"), "hello");
    }
    running.switch_on();
    const std::string large = pattern(300'000);
    for (client& one : connected) {
        require_same(one.exchange("still here"), "still here");
        require_same(one.exchange(large), large);
        one.shutdown_send();
        check_orderly(one.receive_until_end());
    }
    running.switch_off();
    CHECK_MESSAGE(running.faults() == 0, running.faults(), " allocations");
    check_serves(running);
    check_stops(running);
}

TEST_CASE("with fewer threads than were asked for the server serves" * doctest::skip(!chapter.engine) *
          needs_faults()) {
    faulty_server running("thread:11:3-4", {L"--workers", L"4"});
    check_serves(running);
    check_stops(running);
}

TEST_CASE("without a single thread the start fails and says so" * doctest::skip(!chapter.engine) * needs_faults()) {
    const finished_program run = run_to_end_with_faults("thread:11:1-", {L"--port", L"0", L"--workers", L"4"});
    CHECK(run.status == 1);
    CHECK_MESSAGE(run.err.starts_with("std::thread: "), run.err);
}

TEST_SUITE_END();
