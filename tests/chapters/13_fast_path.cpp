// Chapter 13 makes fewer trips to the kernel, by three switches. None of them may change what a client meets.

#include "tests/support/cases.hpp"
#include "tests/support/chapter.hpp"
#include "tests/support/flood.hpp"
#include "tests/support/needs.hpp"
#include "tests/support/pattern.hpp"

#include <doctest/doctest.h>

using namespace support;

constinit const chapter_info support::chapter{
    .number = 13, .name = "13_fast_path", .lets_idle_go = true, .finishes_echoes = true};

namespace {

void check_with(const std::vector<std::wstring>& switches) {
    server running(switches);
    check_every_kind_of_client(running);
    check_stops(running);
    check_nothing_in_flight(running);
}

void check_stops_busy_with(std::vector<std::wstring> switches) {
    // Time enough for the rest of the echo on a machine that has much else to do.
    switches.insert(switches.end(), {L"--grace", L"60"});
    server running(switches);
    client silent(running.where());
    require_same(silent.exchange("hello"), "hello");
    client busy(running.where(), small_buffer);
    const std::size_t sent = fill_the_way(busy);
    running.press_ctrl_c();
    check_same(silent.receive_until_end().bytes, "");
    silent.close();
    check_rest(busy.receive_until_end(), std::string(sent, 'f'));
    busy.close();
    check_ends(running);
    check_nothing_in_flight(running);
}

} // namespace

TEST_CASE("without a switch every kind of client is served") {
    check_with({});
}

TEST_CASE("with --batch every kind of client is served" * needs("switches")) {
    check_with({L"--batch"});
}

TEST_CASE("with --skip every kind of client is served" * needs("switches")) {
    check_with({L"--skip"});
}

TEST_CASE("with --zero-byte every kind of client is served" * needs("switches")) {
    check_with({L"--zero-byte"});
}

TEST_CASE("with all three switches every kind of client is served" * needs("switches")) {
    check_with({L"--batch", L"--skip", L"--zero-byte"});
}

TEST_CASE("with each switch Ctrl+C loses nothing of a large echo" * needs("ctrl-c,grace,switches")) {
    for (const wchar_t* one : {L"--batch", L"--skip", L"--zero-byte"}) {
        check_stops_busy_with({one});
    }
    check_stops_busy_with({L"--batch", L"--skip", L"--zero-byte"});
}

TEST_CASE("with skip mode and one worker busy clients do not starve a quiet one" * needs("switches,workers")) {
    // What succeeds at once goes on without the port: without a bound the worker would never look at it again.
    server running({L"--skip", L"--workers", L"1"});
    const flood busy(running.where(), 4);
    client quiet_one(running.where());
    for (int i = 0; i < 20; ++i) {
        require_same(quiet_one.exchange("my turn"), "my turn");
    }
}

TEST_CASE("with --zero-byte clients that have spoken and are silent hold no buffers" * needs("switches")) {
    constexpr std::size_t count = 300;
    const std::string word = pattern(8000);
    const auto memory_with = [&](const std::vector<std::wstring>& switches) {
        server running(switches);
        std::vector<client> silent;
        for (std::size_t i = 0; i < count; ++i) {
            silent.emplace_back(running.where());
            require_same(silent.back().exchange(word), word);
        }
        const std::size_t bytes = running.memory();
        check_stops(running);
        return bytes;
    };
    // Without the switch each of them keeps two buffers of 8 KiB; with it none, not even the one that was sent last.
    const std::size_t with = memory_with({L"--zero-byte"});
    const std::size_t without = memory_with({});
    if (with + count * 12 * 1024 >= without) {
        FAIL_CHECK("for " << count << " silent clients it takes " << with << " bytes with --zero-byte and " << without
                          << " without: less than 12 KiB saved for each");
    }
}
