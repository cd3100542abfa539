#pragma once
// The policy, chat.hpp: a line that a client sends goes to all others. It stands beside the
// engine of chapter 17, where echo.hpp stood.

#include "connection.hpp"

#include <atomic>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// [message]
// Whole lines of one client. The same bytes are lent to many sends at a time, so nobody may
// change them; the last of those who have a share of it frees it.
using message = std::shared_ptr<const std::string>;

// A message in the outgoing queue of one client: a block whose bytes are the message's.
struct entry final : block {
    using count = std::shared_ptr<std::atomic<std::size_t>>;

    // `of_client`: how many bytes the client's whole queue has.
    entry(message whole, count of_client)
        : block{const_cast<char*>(whole->data()), // WSABUF has no const; a send only reads
                static_cast<ULONG>(whole->size())},
          text{std::move(whole)}, queued{std::move(of_client)} {
        end = size;
        give_back = [](block& sent) noexcept { delete static_cast<entry*>(&sent); };
        *queued += cost();
    }
    ~entry() { *queued -= cost(); }
    entry(const entry&) = delete;
    entry& operator=(const entry&) = delete;

    std::size_t cost() const { return sizeof *this + size; }

    const message text; // a share: it lives as long as this entry
    const count queued;
};
// [/message]

class chatter;

// [held]
// A client that is not destroyed while one has this, whatever it does meanwhile.
struct let_go {
    inline void operator()(chatter* one) const noexcept;
};
using held = std::unique_ptr<chatter, let_go>;
// [/held]

// [hall]
// Everybody who is there. The lock is for the list alone: nobody is sent anything under it.
class chat_hall {
public:
    using position = std::list<chatter*>::iterator;

    position enter(chatter& one) {
        const std::lock_guard lock{lock_};
        return all_.insert(all_.end(), &one);
    }
    void leave(position where) noexcept {
        const std::lock_guard lock{lock_};
        all_.erase(where);
    }
    inline void say(const chatter& by, const message& text);

    std::size_t most_queued = 1 << 20;       // bytes in the queue of one client
    std::atomic<unsigned long long> said{0}; // messages
    std::atomic<unsigned> too_slow{0};       // clients whose queue was full

private:
    std::mutex lock_;
    std::list<chatter*> all_;
};
inline chat_hall hall; // of this program
// [/hall]

// [chatter]
class chatter final : public connection {
public:
    chatter(iocp::unique_socket accepted, place taken, live_list<connection>& all,
            const iocp::unique_handle& port, bool skip, const settings& how)
        : connection{std::move(accepted), std::move(taken), all, port, skip, how},
          position_{hall.enter(*this)} {}
    ~chatter() override { hall.leave(position_); }
    chatter(const chatter&) = delete;
    chatter& operator=(const chatter&) = delete;

    // [deliver]
    // By the worker of another client, which holds this one. Whoever does not read, or
    // would miss a line, is let go.
    void deliver(const message& text) noexcept {
        try {
            auto fresh = std::make_unique<entry>(text, queued_);
            if (*queued_ <= hall.most_queued) {
                send(*fresh.release());
                return;
            }
            hall.too_slow += cut_off_.exchange(true) ? 0 : 1;
        } catch (const std::exception& problem) {
            std::fprintf(stderr, "%s\n", problem.what());
        }
        abort();
    }
    // [/deliver]

private:
    // [on_received]
    // By this client's own worker. The next receive waits until this has returned, so what
    // the client says next cannot overtake it.
    void on_received(block& data) noexcept override {
        const std::string_view came{data.bytes + data.begin, data.end - data.begin};
        const std::size_t whole = came.rfind('\n') + 1; // 0: the line goes on
        try {
            began_.append(came.substr(0, whole));
            if (whole > 0) {
                hall.say(*this, std::make_shared<const std::string>(
                                    std::exchange(began_, std::string{})));
            }
            began_.append(came.substr(whole));
        } catch (const std::exception& problem) { // no memory: one client less
            std::fprintf(stderr, "%s\n", problem.what());
            abort();
        }
        if (began_.size() > most_of_line) {
            abort();
        }
    }
    // [/on_received]
    void on_end() noexcept override { finish(); } // half a line is none

    static constexpr std::size_t most_of_line = 64 * 1024;

    std::string began_; // a line whose end has not come yet
    const entry::count queued_ = std::make_shared<std::atomic<std::size_t>>(0);
    std::atomic<bool> cut_off_{false};
    const chat_hall::position position_; // last: from here on others may deliver
};
// [/chatter]

inline void let_go::operator()(chatter* one) const noexcept {
    one->let_go();
}

// [say]
// First everybody is held, under the lock of the hall; then everybody is sent the message,
// without it. So no more than one client's lock is ever taken at a time.
inline void chat_hall::say(const chatter& by, const message& text) {
    std::vector<held> others;
    {
        const std::lock_guard lock{lock_};
        others.reserve(all_.size());
        for (chatter* const each : all_) {
            if (each != &by && each->hold()) {
                others.emplace_back(each);
            }
        }
    }
    for (const held& each : others) {
        each->deliver(text);
    }
    ++said;
}
// [/say]
