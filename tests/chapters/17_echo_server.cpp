// Chapter 17 is the full server. See also listing_defects.cpp and shutdown.cpp.

#include "tests/support/cases.hpp"
#include "tests/support/chapter.hpp"
#include "tests/support/failure.hpp"
#include "tests/support/flood.hpp"
#include "tests/support/needs.hpp"
#include "tests/support/pattern.hpp"
#include "tests/support/swarm.hpp"

#include <doctest/doctest.h>

using namespace support;

constinit const chapter_info support::chapter{.number = 17,
                                              .name = "17_echo_server",
                                              .lets_idle_go = true,
                                              .finishes_echoes = true,
                                              .repairs_the_listing = true,
                                              .engine = true};

namespace {

const std::vector<std::wstring> without_tricks{L"--batch", L"1", L"--no-skip", L"--no-defer", L"--no-small"};

}

TEST_CASE("every kind of client is served on one server") {
    server running;
    check_every_kind_of_client(running);
    check_stops(running);
}

TEST_CASE("without any trick every kind of client is served" * needs("switches")) {
    server running(without_tricks);
    check_every_kind_of_client(running);
    check_stops(running);
    check_nothing_in_flight(running);
}

TEST_CASE("a dual-stack listener takes IPv6 clients and IPv4 clients" * needs("dual-stack,host")) {
    server running({L"--host", L"::", L"--dual-stack"});
    client six(endpoint{"::1", running.where().port});
    client four(endpoint{"127.0.0.1", running.where().port});
    check_same(six.exchange("six"), "six");
    check_same(four.exchange("four"), "four");
    check_stops(running);
}

TEST_CASE("an IPv4 address cannot be dual-stack and the start fails and says so" * needs("dual-stack,host")) {
    const finished_program run = run_to_end({L"--port", L"0", L"--host", L"127.0.0.1", L"--dual-stack"});
    CHECK(run.status == 1);
    CHECK_MESSAGE(run.err.starts_with("--dual-stack 127.0.0.1:0: 10047 "), run.err);
}

TEST_CASE("without being asked for it an IPv6 listener takes no IPv4 clients" * needs("host")) {
    server running({L"--host", L"::"});
    const endpoint four{"127.0.0.1", running.where().port};
    CHECK_THROWS_AS(client{four}, failure);
    client six(endpoint{"::1", running.where().port});
    check_same(six.exchange("six"), "six");
    check_stops(running);
}

TEST_CASE("what it served is counted in its last line" * needs("ctrl-c,last-line")) {
    server running;
    echo_at_once(running.where(), 20, 1000);
    check_stops(running);
    const std::optional<std::string> served = running.line_beginning("served: 20 accepted, 0 lost, ");
    REQUIRE_MESSAGE(served.has_value(), running.out());
    CHECK_MESSAGE(served->ends_with(", 20000 bytes"), *served);
}

TEST_CASE("two hundred clients at once each get their own bytes in order") {
    server running;
    echo_at_once(running.where(), 200, 20'000);
    check_stops(running);
}

TEST_CASE("past the limit of connections clients wait and are served when others leave" * needs("limits")) {
    server running({L"--max-connections", L"10"});
    check_limit(running, 10);
    // Everybody has left: the places are free again.
    check_limit(running, 10);
    check_stops(running);
    check_nothing_in_flight(running);
}

TEST_CASE("a limit below the number of accepts holds too" * needs("accepts,limits")) {
    server running({L"--max-connections", L"2", L"--accepts", L"50"});
    check_limit(running, 2);
    check_stops(running);
}

TEST_CASE("clients that wait past the limit fit into the backlog" * needs("limits")) {
    server running({L"--max-connections", L"1"});
    client first(running.where());
    require_same(first.exchange("first"), "first");
    std::vector<client> waiting;
    for (std::size_t i = 0; i < 20; ++i) {
        waiting.emplace_back(running.where());
        waiting.back().send_all(pattern(16, i));
    }
    require_hears_nothing(waiting.front(), "one client is allowed and connected");
    first.close();
    for (std::size_t i = 0; i < waiting.size(); ++i) {
        require_same(waiting[i].receive_exactly(16), pattern(16, i));
        waiting[i].close();
    }
    check_stops(running);
}

TEST_CASE("at the limit of one sixty clients one after the other do not wait for the clock" * needs("limits")) {
    server running({L"--max-connections", L"1"});
    const deadline until; // the clock tries once a second: sixty clients would be three times as long
    for (int i = 0; i < 60; ++i) {
        client one(running.where());
        require_same(one.exchange("hello"), "hello");
        REQUIRE_MESSAGE(!until.passed(), "after ", i + 1, " clients: each of them waited for the clock");
    }
    check_stops(running);
}

TEST_CASE("with one worker busy clients do not starve a quiet one" * needs("workers")) {
    server running({L"--workers", L"1"});
    const flood busy(running.where(), 4);
    client quiet_one(running.where());
    for (int i = 0; i < 20; ++i) {
        require_same(quiet_one.exchange("my turn"), "my turn");
    }
}

TEST_CASE("the room that large messages have needed is given back" * needs("bounded-memory")) {
    server running;
    check_serves(running);
    const std::size_t before = running.memory();
    const std::string large = pattern(1U << 20);
    for (int i = 0; i < 16; ++i) {
        client one(running.where());
        check_same(one.exchange(large), large);
    }
    // A few blocks of 68 KiB are kept for whoever comes next, however many MiB have passed.
    check_growth(running.memory(), before, 2U << 20, "its bytes of memory");
    check_stops(running);
}

TEST_SUITE_BEGIN("long");

TEST_CASE("with each trick taken away every kind of client is served" * needs("switches")) {
    const std::vector<std::wstring> each[] = {
        {L"--batch", L"1"}, {L"--no-skip"}, {L"--no-defer"}, {L"--no-small"}, {L"--zero-byte"}};
    for (const auto& one : each) {
        INFO("switch: ", std::string(one.front().begin(), one.front().end()));
        server running(one);
        check_every_kind_of_client(running);
        check_stops(running);
        check_nothing_in_flight(running);
    }
}

TEST_CASE("a thousand clients at once each get their own 64 KiB") {
    server running;
    echo_at_once(running.where(), 1000, 65'536, 120s);
    check_serves(running);
    check_stops(running);
}

TEST_CASE("fifty clients that never read do not make memory grow" * needs("bounded-memory")) {
    server running;
    // All connected and served once: what a connection costs anyway is in the first number.
    std::vector<client> unread;
    for (int i = 0; i < 50; ++i) {
        unread.emplace_back(running.where(), small_buffer);
        require_same(unread.back().exchange("hello"), "hello");
    }
    const std::size_t before = running.memory();
    for (client& one : unread) {
        fill_the_way(one);
    }
    // A server that kept what they do not read would hold some MiB for each of them. A connection has two large
    // blocks at most, of 68 KiB with their first page; a little more is for what the heap does.
    check_growth(running.memory(), before, 50 * 160 * 1024, "its bytes of memory");
    check_serves(running);
}

namespace {

constexpr std::size_t many = 4000;

// What `many` silent clients cost, each of which has had `bytes` echoed.
void check_lean(const wchar_t* workers, std::size_t bytes) {
    // These outlive the server, so that its ends of the connections are closed first: whoever closes first keeps its
    // port for a minute, and the clients have a port each.
    std::vector<client> silent;
    server running({L"--workers", workers});
    check_serves(running);
    const std::size_t before = running.memory();
    const std::string word = pattern(bytes);
    for (std::size_t i = 0; i < many; ++i) {
        silent.emplace_back(running.where());
        require_same(silent.back().exchange(word), word);
    }
    check_growth(running.memory(), before, many * 1536, "its bytes of memory");
}

} // namespace

TEST_CASE("four thousand silent clients cost less than a KiB and a half each" * needs("bounded-memory")) {
    check_lean(L"1", 1);
    check_lean(L"4", 1);
}

TEST_CASE("four thousand clients that are silent after 64 KiB cost no more than others" * needs("bounded-memory")) {
    check_lean(L"1", 65'536);
    check_lean(L"4", 65'536);
}

TEST_CASE("after a burst of large messages from four thousand clients the memory is given back" *
          needs("bounded-memory")) {
    server running({L"--workers", L"4"});
    check_serves(running);
    const std::size_t before = running.memory();
    echo_at_once(running.where(), many, 65'536, 240s);
    check_serves(running);
    // The heap may keep what the connections had; of the large blocks, half a GiB for all of them, no more than a MiB
    // is.
    check_growth(running.memory(), before, many * 1536 + (1U << 20), "its bytes of memory");
    check_stops(running);
    check_nothing_in_flight(running);
}

TEST_SUITE_END();
