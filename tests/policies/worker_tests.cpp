// A worker of chapters 14 to 17 alone with its port: no socket, only operations that are ready again at once. So what
// it keeps from the other workers can be counted: it is what neither stands at the port nor has its turn just now.

#include "worker.hpp"

#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <deque>
#include <vector>

namespace {

class many_turns;

// Operations that take turns at one port, and what was seen of them.
struct field {
    explicit field(std::size_t workers) { how.workers = static_cast<unsigned>(workers); }

    settings how;
    std::atomic<std::size_t> clients{0};
    iocp::unique_handle port = iocp::make_port(1);
    std::deque<many_turns> all;
    std::size_t alive = 0;
    std::size_t turns = 0;
    std::size_t looks = 0;
    std::size_t most_hidden = 0;
    std::size_t failed_calls = 0; // a check throws, and what an operation does may not

    // Everything that is at the port, counted and put back in its order.
    std::size_t count_at_port() noexcept;
    void play(std::size_t count, std::size_t turns_each, std::size_t woken_by_each = 0);
};

class many_turns final : public operation {
public:
    many_turns(field& on, std::size_t left) noexcept : on_{on}, left_{left} {}

    void complete(result) noexcept override {
        if (++on_.turns % 97 == 0 || !wakes.empty()) {
            ++on_.looks;
            on_.most_hidden = std::max(on_.most_hidden, on_.alive - on_.count_at_port() - 1);
        }
        for (; !wakes.empty(); wakes.pop_back()) {
            ++on_.alive;
            wakes.back()->be_ready();
        }
        if (--left_ == 0) {
            --on_.alive;
        } else {
            be_ready();
        }
        if (on_.alive == 0 && !::PostQueuedCompletionStatus(on_.port.get(), 0, 0, nullptr)) {
            ++on_.failed_calls;
        }
    }

    std::vector<many_turns*> wakes; // in its first turn

private:
    void be_ready() noexcept {
        lend();
        ended = {};
        worker::ready(*this, on_.port);
    }

    field& on_;
    std::size_t left_;
};

std::size_t field::count_at_port() noexcept {
    std::array<OVERLAPPED_ENTRY, 1024> there{};
    ULONG taken = 0;
    if (!::GetQueuedCompletionStatusEx(port.get(), there.data(), static_cast<ULONG>(there.size()), &taken, 0, FALSE)) {
        failed_calls += ::GetLastError() == WAIT_TIMEOUT ? 0 : 1;
        return 0;
    }
    for (ULONG i = 0; i < taken; ++i) {
        failed_calls += ::PostQueuedCompletionStatus(port.get(), 0, 0, there[i].lpOverlapped) ? 0 : 1;
    }
    return taken;
}

void field::play(std::size_t count, std::size_t turns_each, std::size_t woken_by_each) {
    clients = count * (1 + woken_by_each);
    for (std::size_t i = 0; i < count; ++i) {
        many_turns& one = all.emplace_back(*this, turns_each);
        for (std::size_t k = 0; k < woken_by_each; ++k) {
            one.wakes.push_back(&all.emplace_back(*this, turns_each));
        }
        one.lend();
        REQUIRE(::PostQueuedCompletionStatus(port.get(), 0, 0, &one));
    }
    alive = count;
#if CHAPTER < 15
    worker here(port, how);
#else
    worker here(port, how, clients);
#endif
    here.run();
    CHECK(failed_calls == 0);
}

} // namespace

TEST_CASE("a worker among others never keeps more than 64 operations behind the one that has its turn") {
    field here(4);
    here.play(400, 50);
    CHECK(here.turns == 400 * 50);
    CHECK(here.looks > 200);
    CHECK(here.most_hidden <= 64);
    CHECK(here.most_hidden >= 60); // or the bound would not be reached and nothing be shown
    CHECK(operation::in_flight() == 0);
}

TEST_CASE("what one turn makes ready besides its own client counts among those 64") {
    field here(4);
    here.play(40, 50, 3);
    CHECK(here.turns == 160 * 50);
    CHECK(here.most_hidden <= 64);
    CHECK(here.most_hidden >= 40);
    CHECK(operation::in_flight() == 0);
}

TEST_CASE("the only worker takes all that is ready for nobody else could") {
    field here(1);
    here.play(400, 50);
    CHECK(here.turns == 400 * 50);
    CHECK(here.most_hidden > 350);
    CHECK(operation::in_flight() == 0);
}
