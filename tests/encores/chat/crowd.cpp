#include "tests/encores/chat/crowd.hpp"

#include "tests/support/cases.hpp"
#include "tests/support/failure.hpp"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <set>
#include <utility>

using namespace support;

namespace chat {

namespace {

constexpr std::string_view greeting = "in ";

std::string greeting_of(std::size_t newcomer) {
    return std::string{greeting} + std::to_string(newcomer);
}

} // namespace

std::string guest::next_line() {
    const deadline until;
    for (;;) {
        if (const std::size_t end = came_.find('\n'); end != std::string::npos) {
            std::string line = came_.substr(0, end);
            came_.erase(0, end + 1);
            return line;
        }
        if (until.passed()) {
            throw failure("a line does not come to its end");
        }
        came_ += client_.receive_exactly(1);
        while (const std::optional<std::string> more = client_.receive_some(65'536)) {
            if (more->empty()) {
                break;
            }
            came_ += *more;
        }
    }
}

std::string guest::hears() {
    std::string line = next_line();
    while (line.starts_with(greeting)) {
        line = next_line();
    }
    return line;
}

void guest::meets(std::size_t newcomer) {
    while (next_line() != greeting_of(newcomer)) {
    }
}

std::vector<guest> company(const server& running, std::size_t count, std::size_t small) {
    std::vector<guest> all;
    for (std::size_t i = 0; i < count; ++i) {
        all.emplace_back(running.where(), i + small < count ? 0 : small_buffer);
        if (i == 1) { // nobody knows yet whether the first one is there
            const deadline until;
            do {
                all[1].says(greeting_of(1));
                if (until.passed()) {
                    throw failure("the first guest hears nothing");
                }
            } while (all[0].native().hears_nothing_for(20ms));
        } else if (i > 1) {
            all[i].says(greeting_of(i));
        }
        if (i > 0) {
            all[0].meets(i);
        }
    }
    return all;
}

std::string line_of(std::size_t talker, std::size_t index) {
    char number[32];
    std::snprintf(number, sizeof number, "%02zu %06zu ", talker, index);
    const auto letter = static_cast<char>('a' + (talker + index) % 26);
    return number + std::string((talker * 7 + index * 13) % 90, letter) + "\n";
}

class crowd::member {
public:
    member(const server& running, manner how, std::size_t number, std::size_t lines)
        : running_{running}, client_{running.where()}, how_{how}, number_{number}, lines_{lines} {}

    client& native() { return client_; }
    bool listens() const { return how_ == manner::talks || how_ == manner::listens; }
    bool ended() const { return ended_; }

    // One send. What is torn is torn by the sizes, from 1 byte to some lines.
    // \return whether anything of it was taken
    bool talk() {
        if (how_ == manner::talks) {
            while (to_send_.size() < 3000 && said_ < lines_) {
                to_send_ += line_of(number_, said_++);
            }
            if (!to_send_.empty()) {
                size_ = (size_ * 131 + 7 * number_ + 1) % (++sends_ % 4 == 0 ? 30 : 3000);
                const std::size_t taken = client_.send_some(std::string_view{to_send_}.substr(0, size_ + 1));
                to_send_.erase(0, taken);
                return taken > 0;
            }
        } else if (how_ != manner::listens && ++rounds_ % 16 == number_ % 16) {
            client_.send_some("half a line of number " + std::to_string(number_));
            if (how_ == manner::resets) {
                client_.reset();
            } else {
                client_.close();
            }
            client_ = client{running_.where()};
        }
        return false;
    }

    // One receive. \return how many lines were whole
    std::size_t listen() {
        std::optional<std::string> some;
        try {
            some = client_.receive_some(65'536);
        } catch (const failure&) { // reset
            some = std::string{};
        }
        if (!some) {
            return 0;
        }
        ended_ = some->empty();
        came_ += *some;
        std::size_t whole = 0;
        std::size_t from = 0;
        for (std::size_t end = 0; (end = came_.find('\n', from)) != std::string::npos; from = end + 1) {
            whole += compare(std::string_view{came_}.substr(from, end + 1 - from)) ? 1 : 0;
        }
        came_.erase(0, from);
        return whole;
    }

    std::size_t heard_of(std::size_t talker) const {
        const auto found = next_.find(talker);
        return found == next_.end() ? 0 : found->second;
    }

    // Has it heard this greeting?
    bool has_met(const std::string& hello) const { return met_.contains(hello); }

    // What has come of a line when the stream ended.
    std::string_view rest() const { return came_; }

private:
    bool compare(std::string_view line) {
        if (line.starts_with(greeting)) {
            met_.emplace(line);
            return false;
        }
        std::size_t talker = 0;
        std::sscanf(std::string{line.substr(0, 2)}.c_str(), "%zu", &talker);
        const std::string expected = line_of(talker, next_[talker]++);
        if (line != expected || (how_ == manner::talks && talker == number_)) {
            throw failure("number " + std::to_string(number_) + " has heard \"" + std::string{line} + "\" and not \"" +
                          expected + "\"");
        }
        return true;
    }

    const server& running_;
    client client_;
    const manner how_;
    const std::size_t number_;
    const std::size_t lines_;
    std::size_t said_ = 0;
    std::size_t size_ = 0;
    std::size_t sends_ = 0;
    std::size_t rounds_ = 0;
    std::string to_send_;
    std::string came_;
    std::set<std::string> met_;
    std::map<std::size_t, std::size_t> next_;
    bool ended_ = false;
};

crowd::crowd(const server& running, std::size_t talkers, std::size_t listeners, std::size_t others, std::size_t lines)
    : talkers_{talkers}, lines_{lines} {
    for (std::size_t i = 0; i < talkers + listeners + others; ++i) {
        const manner how = i < talkers               ? manner::talks
                           : i < talkers + listeners ? manner::listens
                           : i % 2 == 0              ? manner::resets
                                                     : manner::leaves;
        members_.push_back(std::make_unique<member>(running, how, i, lines));
    }
    // Whoever is heard is there. So each says a greeting, the first of them until it is heard.
    for (std::size_t i = 1; i < talkers + listeners; ++i) {
        const std::string hello = greeting_of(i) + "\n";
        members_[i]->native().send_all(hello);
        const deadline until;
        while (!members_[0]->has_met(hello)) {
            if (until.passed()) {
                throw failure("nobody hears anything any more, not even a greeting");
            }
            if (!members_[0]->native().hears_nothing_for(20ms)) {
                members_[0]->listen();
            } else if (i == 1) {
                members_[i]->native().send_all(hello);
            }
        }
    }
}

crowd::~crowd() = default;

// A round: everybody says something, and whoever has something to hear listens. \return whether anybody has heard a
// line
bool crowd::step(bool talking) {
    bool said = false;
    for (const auto& each : members_) {
        said = (talking && each->talk()) || said;
    }
    std::vector<member*> listening;
    std::vector<WSAPOLLFD> polled;
    for (const auto& each : members_) {
        if (each->listens() && !each->ended()) {
            listening.push_back(each.get());
            polled.push_back({each->native().native(), POLLRDNORM, 0});
        }
    }
    constexpr int a_moment_ms = 10;
    if (::WSAPoll(polled.data(), static_cast<ULONG>(polled.size()), said ? 0 : a_moment_ms) == SOCKET_ERROR) {
        throw failure("WSAPoll", static_cast<unsigned long>(::WSAGetLastError()));
    }
    const std::size_t before = heard_;
    for (std::size_t i = 0; i < polled.size(); ++i) {
        if (polled[i].revents != 0) {
            heard_ += listening[i]->listen();
            if (talking && listening[i]->ended()) {
                throw failure("the server has ended the connection of somebody who listens");
            }
        }
    }
    return heard_ > before;
}

std::size_t crowd::talk_to_the_end() {
    std::size_t listening = 0;
    for (const auto& each : members_) {
        listening += each->listens() ? 1 : 0;
    }
    talk_until_heard(talkers_ * lines_ * (listening - 1));
    for (const auto& each : members_) {
        for (std::size_t talker = 0; talker < talkers_; ++talker) {
            const bool own = each.get() == members_[talker].get();
            if (each->listens() && each->heard_of(talker) != (own ? 0 : lines_)) {
                throw failure("a line is lost, or was heard twice");
            }
        }
    }
    return heard_;
}

void crowd::talk_until_heard(std::size_t lines) {
    deadline until;
    while (heard_ < lines) {
        if (step(true)) {
            until = deadline{};
        } else if (until.passed()) {
            throw failure("nobody hears anything any more, after " + std::to_string(heard_) + " lines of " +
                          std::to_string(lines));
        }
    }
}

void crowd::listen_until_ended() {
    const deadline until;
    while (std::ranges::any_of(members_, [](const auto& each) { return each->listens() && !each->ended(); })) {
        step(false);
        if (until.passed()) {
            throw failure("streams do not end");
        }
    }
    for (const auto& each : members_) {
        if (!each->listens() || each->rest().empty()) {
            continue;
        }
        bool begins = false; // one byte may begin the next line of several talkers
        for (std::size_t talker = 0; talker < talkers_ && !begins; ++talker) {
            begins = line_of(talker, each->heard_of(talker)).starts_with(each->rest());
        }
        if (!begins) {
            throw failure("a stream has ended with what is no line's beginning: \"" + std::string{each->rest()} + "\"");
        }
    }
}

} // namespace chat
