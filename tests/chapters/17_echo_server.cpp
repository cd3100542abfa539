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

constinit const chapter_info support::chapter{
    .number = 17, .name = "17_echo_server", .lets_idle_go = true, .finishes_echoes = true, .repairs_the_listing = true};

TEST_CASE("every kind of client is served on one server") {
    server running;
    check_every_kind_of_client(running);
    check_stops(running);
}

TEST_CASE("without any trick every kind of client is served" * needs("switches")) {
    server running({L"--no-batch", L"--no-skip", L"--no-parking"});
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
    const std::optional<std::string> served = running.line_beginning("served: 0 live, 20 accepted, 0 lost, ");
    REQUIRE_MESSAGE(served.has_value(), running.out());
    CHECK_MESSAGE(served->ends_with(", 20000 bytes, 0 in flight"), *served);
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

TEST_CASE("with one worker busy clients do not starve a quiet one" * needs("workers")) {
    server running({L"--workers", L"1"});
    const flood busy(running.where(), 4);
    client quiet_one(running.where());
    for (int i = 0; i < 20; ++i) {
        require_same(quiet_one.exchange("my turn"), "my turn");
    }
}

TEST_SUITE_BEGIN("long");

TEST_CASE("with each trick taken away every kind of client is served" * needs("switches")) {
    for (const wchar_t* one : {L"--no-batch", L"--no-skip", L"--no-parking", L"--port-per-worker"}) {
        const std::wstring shown = one;
        INFO("switch: ", std::string(shown.begin(), shown.end()));
        server running({one});
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

TEST_CASE("five thousand clients connect and talk and leave") {
    server running;
    const DWORD before = running.handles();
    for (std::size_t i = 0; i < 5000; ++i) {
        client one(running.where());
        const std::string word = pattern(32, i);
        require_same(one.exchange(word), word);
        if (i % 3 == 0) {
            one.reset();
        }
    }
    check_serves(running);
    check_growth(running.handles(), before, 200, "its open handles");
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
    constexpr std::size_t each = 8U << 20;
    for (client& one : unread) {
        fill_the_way(one, each);
    }
    // A server that kept what they do not read would hold some of it for each of them. Nothing is kept beyond the
    // buffer that a connection has anyway: 64 KiB for each is room for that and for what the heap does.
    check_growth(running.memory(), before, 50 * 65'536, "its bytes of memory");
    check_serves(running);
}

TEST_SUITE_END();
