// Chapter 08 has many workers on one port: the flow of the Go listing, repaired. See also listing_defects.cpp.

#include "tests/support/cases.hpp"
#include "tests/support/chapter.hpp"
#include "tests/support/needs.hpp"
#include "tests/support/swarm.hpp"

#include <doctest/doctest.h>

#include <thread>

using namespace support;

constinit const chapter_info support::chapter{.number = 8, .name = "08_worker_pool", .repairs_the_listing = true};

TEST_CASE("with any number of workers each client gets its own bytes in order" * needs("workers")) {
    for (const wchar_t* workers : {L"1", L"2", L"8"}) {
        server running({L"--workers", workers});
        echo_at_once(running.where(), 60, 20'000);
        check_stops(running);
    }
}

TEST_CASE("a worker more is a thread more" * needs("workers")) {
    server with_one({L"--workers", L"1"});
    server with_nine({L"--workers", L"9"});
    check_serves(with_one);
    check_serves(with_nine);
    check_count(with_nine.threads(), with_one.threads() + 8, "threads with nine workers");
    check_stops(with_one);
    check_stops(with_nine);
}

TEST_CASE("without being told there are as many workers as processors" * needs("threads,workers")) {
    server told({L"--workers", std::to_wstring(std::thread::hardware_concurrency())});
    server untold;
    check_serves(told);
    check_serves(untold);
    check_count(untold.threads(), told.threads(), "threads");
    check_stops(told);
    check_stops(untold);
}

TEST_CASE("Ctrl+C ends each worker while all of them are busy" * needs("ctrl-c,workers")) {
    server running({L"--workers", L"4"});
    std::vector<client> unread;
    for (int i = 0; i < 6; ++i) {
        unread.emplace_back(running.where(), small_buffer);
        unread.back().fill(200'000);
    }
    check_stops(running);
}
