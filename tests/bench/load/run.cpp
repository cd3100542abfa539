#include "run.hpp"

#include <asio/ip/address.hpp>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <utility>

using namespace std::chrono_literals;

namespace {

constexpr std::size_t largest_message = std::size_t{1} << 20;

// For whoever has started this program and measures the server meanwhile.
void say(const options& how, const char* event) {
    if (!how.table) {
        std::printf("{\"event\": \"%s\"}\n", event);
        std::fflush(stdout);
    }
}

} // namespace

run::run(const options& how)
    : how_{how}, bytes_{largest_message}, context_{1}, timer_{context_}, where_{asio::ip::make_address(how.host),
                                                                                how.port},
      places_(how.clients), size_{how.size} {
    result_.clients = how.clients;
    result_.size = how.size;
    result_.seconds = 0;
}

// --- what a client does ----------------------------------------------------------------------------------------------

void run::new_client(std::size_t at) {
    places_[at].who = std::make_unique<client>(context_, bytes_, numbers_++);
}

void run::come(std::size_t at, client::handler done) {
    new_client(at);
    places_[at].who->connect(where_, [this, at, done = std::move(done)](const std::string& problem) {
        if (problem.empty()) {
            exchange(at, done);
        } else {
            done(problem);
        }
    });
}

void run::exchange(std::size_t at, client::handler done) {
    places_[at].who->exchange(size_, std::move(done));
}

void run::come_and_go(std::size_t at, client::handler done) {
    come(at, [this, at, done = std::move(done)](const std::string& problem) {
        if (problem.empty()) {
            places_[at].who->leave(done);
        } else {
            done(problem);
        }
    });
}

void run::fail(std::size_t at, const std::string& problem) {
    result_.add_error(problem);
    places_[at].well = false;
    gone_.push_back(std::move(places_[at].who));
}

void run::give_up(std::size_t at) {
    places_[at].well = false;
    if (places_[at].who) {
        places_[at].who->abandon();
        gone_.push_back(std::move(places_[at].who));
    }
}

std::size_t run::well() const {
    return static_cast<std::size_t>(
        std::count_if(places_.begin(), places_.end(), [](const place& one) { return one.well; }));
}

// --- each once -------------------------------------------------------------------------------------------------------

// Every client that is well does it, a few at a time. Returns how many did not come to an end; they are no longer well.
std::size_t run::all_do(const task& what) {
    constexpr std::size_t at_a_time = 64;
    std::vector<bool> doing(places_.size());
    std::size_t next = 0;
    std::size_t under_way = 0;
    const std::function<void()> fill_up = [&] {
        while (next < places_.size() && under_way < at_a_time) {
            const std::size_t at = next++;
            if (!places_[at].well) {
                continue;
            }
            ++under_way;
            doing[at] = true;
            what(at, [&, at](const std::string& problem) {
                --under_way;
                doing[at] = false;
                progress_ = clock::now();
                if (!problem.empty()) {
                    fail(at, problem);
                }
                fill_up();
                if (under_way == 0) {
                    timer_.cancel();
                }
            });
        }
    };
    const std::function<void()> look = [&] {
        timer_.expires_after(100ms);
        timer_.async_wait([&](const std::error_code& cancelled) {
            if (cancelled || under_way == 0) {
                return;
            }
            if (goes_on()) {
                look();
            } else {
                context_.stop();
            }
        });
    };
    since_ = progress_ = clock::now();
    fill_up();
    if (under_way != 0) {
        look();
    }
    context_.restart();
    context_.run();
    std::size_t given_up = 0;
    for (std::size_t at = 0; at < places_.size(); ++at) {
        if (places_[at].well && (doing[at] || at >= next)) {
            give_up(at);
            ++given_up;
        }
    }
    return given_up;
}

void run::must_all_do(const task& what, const char* otherwise) {
    for (std::size_t left = all_do(what); left > 0 && !result_.slow; --left) {
        result_.add_error(otherwise);
    }
}

// A server that answers somebody now and then is slow and not wrong; but nobody waits for it for ever.
bool run::goes_on() {
    const auto now = clock::now();
    if (now - since_ > std::chrono::duration<double>{how_.limit}) {
        result_.slow = true;
        return false;
    }
    return now - progress_ < std::chrono::duration<double>{how_.patience};
}

// --- again and again, while the clock runs ---------------------------------------------------------------------------

void run::measure(const task& what) {
    what_ = what;
    under_way_ = places_.size();
    clock_runs_ = true;
    say(how_, "begin");
    started_ = progress_ = clock::now();
    for (std::size_t at = 0; at < places_.size(); ++at) {
        begin(at);
    }
    look_at_the_clock();
    context_.restart();
    context_.run();
    stop_the_clock();
    for (std::size_t at = 0; at < places_.size(); ++at) {
        if (places_[at].well && places_[at].begun != clock::time_point{}) {
            if (!result_.slow) {
                result_.add_error("no answer");
            }
            give_up(at);
        }
    }
}

void run::begin(std::size_t at) {
    places_[at].begun = clock::now();
    what_(at, [this, at](const std::string& problem) { ended(at, problem); });
}

void run::ended(std::size_t at, const std::string& problem) {
    place& mine = places_[at];
    progress_ = clock::now();
    const auto took = progress_ - mine.begun;
    mine.begun = {};
    bool more = false;
    if (problem.empty()) {
        result_.durations.push_back(took);
        const bool in_time = progress_ - started_ < std::chrono::duration<double>{how_.seconds};
        if (how_.rounds != 0 || in_time) {
            ++mine.done;
            ++result_.done;
        }
        more = how_.rounds != 0 ? mine.done < how_.rounds : in_time;
    } else {
        fail(at, problem);
    }
    if (more) {
        begin(at);
    } else if (--under_way_ == 0) {
        timer_.cancel();
    }
}

// When it has run down, those that wait for an answer are waited for: how long they wait belongs to the result.
void run::look_at_the_clock() {
    auto next = clock::now() + 100ms;
    if (clock_runs_ && how_.rounds == 0) {
        next = started_ + std::chrono::duration_cast<clock::duration>(std::chrono::duration<double>{how_.seconds});
    }
    timer_.expires_at(next);
    timer_.async_wait([this](const std::error_code& cancelled) {
        if (cancelled || under_way_ == 0) {
            return;
        }
        if (how_.rounds == 0) {
            stop_the_clock();
        } else {
            since_ = clock::now(); // all of these are wanted, however long they take
        }
        if (goes_on()) {
            look_at_the_clock();
        } else {
            context_.stop();
        }
    });
}

void run::stop_the_clock() {
    if (!clock_runs_) {
        return;
    }
    clock_runs_ = false;
    since_ = clock::now();
    result_.seconds = how_.seconds;
    if (how_.rounds != 0) {
        result_.seconds = std::chrono::duration<double>{progress_ - started_}.count();
    }
    result_.unanswered = static_cast<std::size_t>(
        std::count_if(places_.begin(), places_.end(), [](const place& one) { return one.done == 0; }));
    say(how_, "end");
}

// --- the three ways --------------------------------------------------------------------------------------------------

report run::echo() {
    result_.mode = "echo";
    all_do([this](std::size_t at, client::handler done) { come(at, std::move(done)); });
    result_.served = well();
    if (result_.served == places_.size()) {
        measure([this](std::size_t at, client::handler done) { exchange(at, std::move(done)); });
        all_leave();
    }
    return std::move(result_);
}

report run::visit() {
    result_.mode = "connect";
    const task what = [this](std::size_t at, client::handler done) { come_and_go(at, std::move(done)); };
    all_do(what);
    result_.served = well();
    if (result_.served == places_.size()) {
        measure(what);
    }
    return std::move(result_);
}

report run::hold() {
    result_.mode = "hold";
    all_do([this](std::size_t at, client::handler done) { come(at, std::move(done)); });
    result_.served = well();
    for (;;) {
        std::for_each(places_.begin(), places_.end(), [](place& one) {
            if (one.well) {
                one.who->release_buffer();
            }
        });
        std::printf("{\"event\": \"silent\", \"clients\": %zu}\n", well());
        std::fflush(stdout);
        std::string line;
        std::string word;
        if (!std::getline(std::cin, line)) {
            break;
        }
        std::istringstream words{line};
        if (!(words >> word >> size_) || word != "echo" || size_ == 0 || size_ > largest_message) {
            result_.add_error("not `echo BYTES`: " + line);
            break;
        }
        must_all_do([this](std::size_t at, client::handler done) { exchange(at, std::move(done)); }, "no answer");
    }
    all_leave();
    return std::move(result_);
}

void run::all_leave() {
    must_all_do([this](std::size_t at, client::handler done) { places_[at].who->leave(std::move(done)); },
                "the server did not end the connection");
}
