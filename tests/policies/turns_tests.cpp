// Whose turn it is when many are ready at once (turns.cpp): chapter 13 lets one client take all, and from chapter 14 on
// everybody who is ready has a turn before anybody has another one.

#include "tests/support/cases.hpp"
#include "tests/support/chapter.hpp"
#include "tests/support/server.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

using namespace support;

constinit const chapter_info support::chapter{.number = CHAPTER, .name = PROGRAM};

namespace {

constexpr std::size_t bytes_each = 96 * 1024; // a dozen turns of 8 KiB, or three of large blocks
constexpr std::size_t most_behind = 64;       // as in chapters/14_fair_turns/worker.hpp

// A semaphore that the server opens by its name.
class semaphore {
public:
    semaphore(const std::string& name, const char* what)
        : handle_{::CreateSemaphoreA(nullptr, 0, 1000, (name + what).c_str())} {
        REQUIRE(handle_ != nullptr);
    }
    ~semaphore() { ::CloseHandle(handle_); }
    semaphore(const semaphore&) = delete;
    semaphore& operator=(const semaphore&) = delete;

    void add(long count) { ::ReleaseSemaphore(handle_, count, nullptr); }
    void take() {
        const DWORD limit = static_cast<DWORD>(std::chrono::milliseconds(patience).count());
        REQUIRE(::WaitForSingleObject(handle_, limit) == WAIT_OBJECT_0);
    }

private:
    HANDLE handle_;
};

using turns = std::vector<unsigned>; // the numbers of clients, one for each turn

class held_server {
public:
    explicit held_server(unsigned workers, bool without_tricks = false)
        : name_{"turns" + std::to_string(::GetCurrentProcessId())}, held_{name_, "held"}, go_{name_, "go"},
          leave_{name_, "leave"}, variable_{"IOCP_TURNS", name_}, server_{arguments(workers, without_tricks)} {}

    // A new client, known to the server by its number: connected one after the other, they are counted in order.
    client& connect() {
        clients_.emplace_back(server_.where());
        require_same(clients_.back().exchange("hello"), "hello");
        return clients_.back();
    }
    void hold() { hold(connect()); }
    void hold(client& one) {
        one.send_all("hold");
        held_.take();
        asides_ = asides_ == 0 ? count() : asides_;
    }
    void wait_until_held() { held_.take(); }
    void go_on(long count = 1) { go_.add(count); }
    void let_leave() { leave_.add(1); }

    // From the turn that was held first on.
    turns end(const std::vector<std::size_t>& busy, std::size_t bytes = bytes_each) {
        for (const std::size_t i : busy) {
            require_same(clients_[i].receive_exactly(bytes), std::string(bytes, 'x'));
        }
        return end();
    }
    turns end() {
        server_.press_ctrl_c();
        const std::optional<std::string> line = server_.line_beginning("turns:");
        REQUIRE(line.has_value());
        std::istringstream in(line->substr(6));
        turns all;
        for (unsigned one = 0; in >> one;) {
            all.push_back(one);
        }
        check_ends(server_);
        check_nothing_in_flight(server_);
        REQUIRE(all.size() > asides_);
        return {all.begin() + static_cast<std::ptrdiff_t>(asides_), all.end()};
    }

    // Ctrl+C while handlers are held: they go on when the workers have been told to end.
    void end_while_held(long count) {
        server_.press_ctrl_c();
        REQUIRE(server_.line_beginning("turns:").has_value());
        go_on(count);
        check_ends(server_);
        check_nothing_in_flight(server_);
    }

    void reserve(std::size_t count) { clients_.reserve(count); }
    client& at(std::size_t i) { return clients_[i]; }
    std::size_t count() const { return clients_.size(); }

private:
    static std::vector<std::wstring> arguments(unsigned workers, bool without_tricks) {
        std::vector<std::wstring> all{L"--workers", std::to_wstring(workers)};
        if (without_tricks) {
            all.emplace_back(L"--without-tricks");
        }
        return all;
    }

    std::string name_;
    semaphore held_;
    semaphore go_;
    semaphore leave_;
    variable_for_children variable_;
    server server_;
    std::vector<client> clients_;
    std::size_t asides_ = 0; // turns before that: hellos
};

// Clients that are ready for all the time from one turn of a client to its next one, and have none in between: the most
// there are. Whoever has had a turn and will have another one is ready all the time in between, for its bytes are
// there.
std::size_t most_left_out(const turns& all) {
    std::map<unsigned, std::vector<std::size_t>> places;
    for (std::size_t i = 0; i < all.size(); ++i) {
        places[all[i]].push_back(i);
    }
    std::size_t most = 0;
    for (const auto& [who, mine] : places) {
        for (std::size_t k = 0; k + 1 < mine.size(); ++k) {
            std::size_t left_out = 0;
            for (const auto& [other, theirs] : places) {
                const auto next = std::upper_bound(theirs.begin(), theirs.end(), mine[k]);
                const bool ready = next != theirs.begin() && next != theirs.end();
                left_out += other != who && ready && *next > mine[k + 1] ? 1 : 0;
            }
            most = std::max(most, left_out);
        }
    }
    return most;
}

std::vector<std::size_t> connect_many(held_server& running, std::size_t count) {
    std::vector<std::size_t> numbers;
    for (std::size_t i = 0; i < count; ++i) {
        numbers.push_back(running.count());
        running.connect();
    }
    return numbers;
}

void send_to(held_server& running, const std::vector<std::size_t>& numbers, std::size_t bytes = bytes_each) {
    for (const std::size_t i : numbers) {
        running.at(i).send_all(std::string(bytes, 'x'));
    }
}

// Reads what comes until `enough` of these clients have all of their echo and nothing more comes for a while.
// \return how many have not
std::size_t still_wait(held_server& running, const std::vector<std::size_t>& numbers, std::size_t enough,
                       std::map<std::size_t, std::size_t>& came) {
    std::size_t complete = 0;
    deadline until;
    while (true) {
        std::vector<WSAPOLLFD> polled;
        for (const std::size_t i : numbers) {
            polled.push_back({running.at(i).native(), static_cast<SHORT>(came[i] < bytes_each ? POLLRDNORM : 0), 0});
        }
        const int patient_ms = complete < enough ? until.milliseconds_left() : deadline(quiet).milliseconds_left();
        if (::WSAPoll(polled.data(), static_cast<ULONG>(polled.size()), patient_ms) == 0) {
            return numbers.size() - complete;
        }
        for (std::size_t i = 0; i < numbers.size(); ++i) {
            if ((polled[i].revents & POLLRDNORM) != 0) {
                const std::size_t got = running.at(numbers[i]).receive_some(bytes_each).value_or("").size();
                REQUIRE(got > 0);
                came[numbers[i]] += got;
                complete += came[numbers[i]] == bytes_each ? 1 : 0;
            }
        }
    }
}

// Of four workers three are held, and the fourth goes on when a client whose handler does not return and `count` others
// are at the port. Then the three go on.
// \return how many of the others have not got all of their echo until that handler returns
std::size_t behind_a_slow_handler(std::size_t count, std::size_t enough, bool without_tricks) {
    constexpr unsigned workers = 4;
    constexpr std::size_t ticks = 1; // one waits at the port within a second, and no more until it is dequeued
    held_server running(workers, without_tricks);
    running.reserve(count + 10);
    const auto others = connect_many(running, count);
    running.connect();
    const std::size_t slow = running.count() - 1;
    for (unsigned i = 1; i < workers; ++i) {
        running.hold();
    }
    running.connect().send_all("until " + std::to_string(count + 1 + ticks));
    running.wait_until_held();
    running.at(slow).send_all("stay");
    send_to(running, others);
    running.wait_until_held();
    running.go_on(workers - 1);
    std::map<std::size_t, std::size_t> came;
    const std::size_t behind = still_wait(running, others, enough, came);
    // They wait for nothing else.
    running.let_leave();
    require_same(running.at(slow).receive_exactly(4), "stay");
    for (const std::size_t i : others) {
        running.at(i).receive_exactly(bytes_each - came[i]);
    }
    return behind;
}

} // namespace

TEST_CASE("a client whose operations always succeed at once keeps the only worker from all others" *
          doctest::skip(CHAPTER != 13)) {
    held_server running(1);
    running.reserve(100);
    const auto busy = connect_many(running, 20);
    running.hold();
    send_to(running, busy);
    running.go_on();
    const turns all = running.end(busy);
    // The one that is first has all of its turns, one after the other, while nineteen others are ready.
    CHECK(std::count(all.begin() + 1, all.begin() + 13, all[1]) == 12);
    CHECK(all.size() >= 20 * 12);
}

TEST_CASE("between two turns of one client every other client that is ready has one" * doctest::skip(CHAPTER < 14)) {
    held_server running(1);
    running.reserve(300);
    const auto first = connect_many(running, 75);
    const auto second = connect_many(running, 75);
    running.connect(); // for the second hold
    const std::size_t holder = running.count() - 1;
    running.hold();
    send_to(running, first);
    running.at(holder).send_all("hold");
    running.go_on();
    // Now all of the first have had a turn and stand in the ready queue, and the others come to the port.
    running.wait_until_held();
    send_to(running, second);
    running.go_on();
    auto busy = first;
    busy.insert(busy.end(), second.begin(), second.end());
    const turns all = running.end(busy);
    CHECK(most_left_out(all) == 0);
    // Nor has one of the first two turns before each of the others, whose packets have waited at the port, has its
    // first.
    const auto held_again = std::find(all.begin(), all.end(), static_cast<unsigned>(holder));
    const auto last_newcomer = std::find_if(held_again, all.end(), [&](unsigned who) { return who == second.back(); });
    std::map<unsigned, int> turns_before;
    std::for_each(held_again, last_newcomer, [&](unsigned who) { ++turns_before[who]; });
    for (const std::size_t one : first) {
        CHECK(turns_before[static_cast<unsigned>(one)] <= 1);
    }
}

TEST_CASE("with four workers no more clients are left out than three of them may keep" * doctest::skip(CHAPTER < 14)) {
    constexpr unsigned workers = 4;
    constexpr std::size_t many = 700; // far more than four workers may keep: most wait at the port
    constexpr std::size_t bytes = 24 * 1024;
    held_server running(workers);
    running.reserve(many + workers);
    const auto busy = connect_many(running, many);
    for (unsigned i = 0; i < workers; ++i) {
        running.hold();
    }
    send_to(running, busy, bytes);
    running.go_on(workers);
    CHECK(most_left_out(running.end(busy, bytes)) <= (workers - 1) * most_behind);
}

TEST_CASE("all that a worker has taken with it waits for a slow handler while three workers are idle" *
          doctest::skip(CHAPTER < 14)) {
    constexpr std::size_t less_than_full = most_behind - 3; // with the slow one and a tick
    CHECK(behind_a_slow_handler(less_than_full, 0, false) == less_than_full);
}

TEST_CASE("no more than 64 wait behind a slow handler" * doctest::skip(CHAPTER < 14)) {
    constexpr std::size_t many = 200;
    CHECK(behind_a_slow_handler(many, many - most_behind, false) <= most_behind);
}

TEST_CASE("with the tricks taken away nobody waits behind a slow handler" * doctest::skip(CHAPTER < 17)) {
    CHECK(behind_a_slow_handler(most_behind, most_behind, true) == 0);
    CHECK(behind_a_slow_handler(200, 200, true) == 0);
}

TEST_CASE("whoever has had a turn comes after those who wait at the port and before those who come later" *
          doctest::skip(CHAPTER < 14)) {
    held_server running(1);
    running.reserve(20);
    const auto numbers = connect_many(running, 4);
    client& again = running.at(numbers[0]);
    client& neighbour = running.at(numbers[1]);
    client& waiting = running.at(numbers[2]);
    client& later = running.at(numbers[3]);
    const auto has_arrived = [](client& one) { REQUIRE(one.hears_nothing_for(quiet)); }; // a handler is held
    running.hold();
    again.send_all("1");
    has_arrived(again);
    neighbour.send_all("hold");
    has_arrived(neighbour);
    running.go_on();
    running.wait_until_held();
    require_same(again.receive_exactly(1), "1"); // it has had its turn in this round
    again.send_all("2");
    has_arrived(again);
    waiting.send_all("hold");
    has_arrived(waiting);
    running.go_on();
    running.wait_until_held();
    later.send_all("3");
    has_arrived(later);
    running.go_on();
    require_same(again.receive_exactly(1), "2");
    require_same(later.receive_exactly(1), "3");
    const turns all = running.end();
    const auto number = [&](std::size_t i) { return static_cast<unsigned>(numbers[i]); };
    CHECK(turns(all.begin() + 1, all.end()) == turns{number(0), number(1), number(2), number(0), number(3)});
}

TEST_CASE("a worker that ends leaves what is ready at the port" * doctest::skip(CHAPTER < 14)) {
    held_server running(1);
    running.reserve(40);
    const auto busy = connect_many(running, 20);
    running.hold();
    send_to(running, busy);
    running.end_while_held(1);
}

TEST_CASE("each of four workers ends when one batch takes all that tells them to" * doctest::skip(CHAPTER < 15)) {
    constexpr unsigned workers = 4;
    held_server running(workers);
    running.reserve(100);
    connect_many(running, 40);
    for (unsigned i = 0; i < workers; ++i) {
        running.hold();
    }
    running.end_while_held(workers);
}

TEST_CASE("a client that is reset while it waits for its turn is gone when its turn comes" *
          doctest::skip(CHAPTER < 14)) {
    held_server running(1);
    running.reserve(20);
    const auto numbers = connect_many(running, 3);
    client& one = running.at(numbers[0]);
    client& neighbour = running.at(numbers[1]);
    client& other = running.at(numbers[2]);
    running.hold();
    one.send_all("mark");
    REQUIRE(one.hears_nothing_for(quiet)); // a handler is held
    neighbour.send_all("hold");
    REQUIRE(neighbour.hears_nothing_for(quiet));
    running.go_on();
    running.wait_until_held();
    require_same(one.receive_exactly(4), "mark"); // now it stands in the ready queue
    other.send_all("reset");
    REQUIRE(other.hears_nothing_for(quiet));
    running.go_on();
    check_cut_off(one);
    require_same(other.receive_exactly(5), "reset");
    require_same(neighbour.receive_exactly(4), "hold");
    require_same(neighbour.exchange("still here"), "still here");
    running.end();
}
