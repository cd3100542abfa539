#include "tests/support/storm.hpp"

#include "tests/support/client.hpp"
#include "tests/support/deadline.hpp"
#include "tests/support/failure.hpp"
#include "tests/support/pattern.hpp"

#include <exception>
#include <list>
#include <optional>
#include <vector>

namespace support {

namespace {

constexpr int small_buffer = 8192; // the way back is full soon

// Sends as much as is taken and reads less.
class slow_reader {
public:
    slow_reader(const endpoint& where, std::size_t read_at_most)
        : client_(where, small_buffer), read_at_most_(read_at_most) {}

    void step() {
        static const std::string block(16'384, 's');
        client_.send_some(block);
        if (read_at_most_ > 0) {
            check_goes_on(client_.receive_some(read_at_most_));
        }
    }

private:
    static void check_goes_on(const std::optional<std::string>& some) {
        if (some && some->empty()) {
            throw failure("the stream of a slow reader has ended");
        }
    }

    client client_;
    std::size_t read_at_most_;
};

// Says all and half-closes, and then reads a little at a time.
class finishing {
public:
    explicit finishing(const endpoint& where) : client_(where, small_buffer) {
        client_.send_all(pattern(size));
        client_.shutdown_send();
    }

    // False when it has everything.
    bool step() {
        const std::optional<std::string> some = client_.receive_some(1000);
        if (!some) {
            return true;
        }
        if (some->empty() && received_ != pattern(size)) {
            throw failure("a client that half-closed got " + std::to_string(received_.size()) + " bytes");
        }
        received_ += *some;
        return !some->empty();
    }

private:
    static constexpr std::size_t size = 5000;

    client client_;
    std::string received_;
};

} // namespace

storm::storm(const endpoint& where)
    : thread_([this, where] {
          try {
              rage(where);
          } catch (const std::exception& problem) {
              why_ = problem.what();
              broken_ = true;
          }
      }) {}

storm::~storm() {
    stop_ = true;
    thread_.join();
}

void storm::rage(const endpoint& where) {
    std::vector<client> silent;
    for (int i = 0; i < 10; ++i) {
        silent.emplace_back(where);
    }
    std::vector<slow_reader> slow;
    for (int i = 0; i < 4; ++i) {
        slow.emplace_back(where, 0);
        slow.emplace_back(where, 100);
    }
    client byte_by_byte(where);
    const std::string some = pattern(20'000);
    std::list<finishing> on_their_way_out;
    while (!stop_) {
        for (slow_reader& one : slow) {
            one.step();
        }
        byte_by_byte.send_some("b");
        byte_by_byte.receive_some(1);
        client in_the_middle(where);
        in_the_middle.send_some(some);
        in_the_middle.reset();
        client(where).close();
        client(where).reset();
        on_their_way_out.emplace_back(where);
        on_their_way_out.remove_if([](finishing& one) { return !one.step(); });
        ++rounds_;
    }
}

void storm::wait_for_rounds(std::size_t count) const {
    for (const deadline until; rounds_ < count;) {
        if (broken_) {
            throw failure("one of all kinds of clients: " + why_);
        }
        if (until.passed()) {
            throw failure("only " + std::to_string(rounds_) + " rounds of all kinds of clients in time");
        }
        std::this_thread::sleep_for(1ms);
    }
}

} // namespace support
