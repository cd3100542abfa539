// The list of all connections, as chapters 12 to 17 have it: a sweep holds up nobody who comes or goes.

#include "chapters/12_orderly_end/live_list.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <future>
#include <mutex>
#include <vector>

namespace {

using namespace std::chrono_literals;

class swept {
public:
    std::unique_lock<std::mutex> try_lock() { return std::unique_lock{lock_, std::try_to_lock}; }

private:
    std::mutex lock_;
};

} // namespace

TEST_CASE("while a sweep visits one object others come and go") {
    live_list<swept> all;
    swept first;
    swept other;
    const auto position = all.enter(first);
    int visits = 0;
    std::future<void> came_and_went;
    all.sweep([&](swept&) {
        ++visits;
        came_and_went = std::async(std::launch::async, [&] { all.leave(all.enter(other)); });
        CHECK(came_and_went.wait_for(10s) == std::future_status::ready); // or the sweep holds it up
    });
    CHECK(visits == 1);
    all.leave(position);
    CHECK(all.wait_until_empty(0ms));
}

TEST_CASE("a sweep passes by an object whose lock is taken") {
    live_list<swept> all;
    swept taken;
    swept free_one;
    const auto first = all.enter(taken);
    const auto second = all.enter(free_one);
    const std::unique_lock<std::mutex> at_work = taken.try_lock();
    std::vector<swept*> visited;
    // On a thread of its own: whoever holds a lock may not try it.
    std::async(std::launch::async, [&] { all.sweep([&](swept& one) { visited.push_back(&one); }); }).wait();
    CHECK(visited == std::vector<swept*>{&free_one});
    all.leave(first);
    all.leave(second);
}
