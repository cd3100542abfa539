#include "common/live_set.hpp"

#include <doctest/doctest.h>

#include <thread>

using namespace std::chrono_literals;

TEST_CASE("a live set knows who has entered and not left") {
    iocp::live_set<int> live;
    int one = 1;
    int two = 2;
    live.enter(one);
    live.enter(two);
    live.leave(one);
    CHECK(live.size() == 1);
    int sum = 0;
    live.for_each([&sum](int number) { sum += number; });
    CHECK(sum == 2);
    CHECK_FALSE(live.wait_until_empty(0ms));
    live.leave(two);
    CHECK(live.wait_until_empty(0ms));
}

TEST_CASE("who waits for an empty set is told when the last one leaves") {
    iocp::live_set<int> live;
    int one = 1;
    live.enter(one);
    std::thread leaver{[&] { live.leave(one); }};
    CHECK(live.wait_until_empty(10s));
    leaver.join();
}
