#pragma once
// A policy that answers each message. It stands beside the engine of chapter 17.

#include "connection.hpp"
#include "messages.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

// [more]
// What does not fit into the block that the questions came in: a block of our own for the
// engine's queue, which gives it back when it is sent.
struct more final : block {
    explicit more(std::unique_ptr<std::string> whole)
        : block{whole->data(), static_cast<ULONG>(whole->size())}, text{std::move(whole)} {
        end = size;
        give_back = [](block& sent) noexcept { delete static_cast<more*>(&sent); };
    }
    const std::unique_ptr<std::string> text;
};
// [/more]

// Answers each message with the same one backwards.
template <class Rule>
class answering final : public connection {
public:
    using connection::connection;

private:
    // [on_received]
    void on_received(block& data) noexcept override {
        if (refused_) {
            return; // the answers before it are still on their way
        }
        try {
            const std::string_view came{data.bytes + data.begin, data.end - data.begin};
            std::string answers;
            refused_ = !cutter_.feed(came, [&answers](std::string_view message) {
                Rule::put(answers, std::string{message.rbegin(), message.rend()});
            });
            if (!answers.empty()) {
                say(std::move(answers), data);
            }
        } catch (const std::exception& problem) { // no memory: one client less
            std::fprintf(stderr, "%s\n", problem.what());
            abort();
        }
        if (refused_) {
            finish();
        }
    }
    // [/on_received]

    void on_end() noexcept override { finish(); } // half a message is none

    // [say]
    // The end of the answers goes in the block that the questions came in. So it is not
    // free before they are sent, and whoever does not read is not received from.
    void say(std::string answers, block& data) {
        const std::size_t last = std::min<std::size_t>(answers.size(), data.size);
        const std::size_t rest = answers.size() - last;
        std::memcpy(data.bytes, answers.data() + rest, last);
        data.begin = 0;
        data.end = static_cast<ULONG>(last);
        if (rest > 0) {
            answers.resize(rest);
            auto text = std::make_unique<std::string>(std::move(answers));
            send(*std::make_unique<more>(std::move(text)).release());
        }
        send(data);
    }
    // [/say]

    cutter<Rule> cutter_;
    bool refused_ = false; // of this client's worker alone
};
