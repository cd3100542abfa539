#pragma once
// The engine, live_list.hpp: all connections there are, for whoever looks after them.

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <list>
#include <mutex>

// A list of objects that it does not own.
template <class Object>
class live_list {
public:
    using position = typename std::list<Object*>::iterator;

    position enter(Object& one) {
        const std::lock_guard lock{guard_};
        return all_.insert(all_.end(), &one);
    }
    void leave(position where) noexcept {
        const std::lock_guard lock{guard_};
        all_.erase(where);
        if (all_.empty()) {
            empty_.notify_all(); // under the lock: then this list may be destroyed
        }
    }
    bool wait_until_empty(std::chrono::milliseconds limit) {
        std::unique_lock lock{guard_};
        return empty_.wait_for(lock, limit, [this] { return all_.empty(); });
    }
    std::size_t size() const noexcept {
        const std::lock_guard lock{guard_};
        return all_.size();
    }

    // [sweep]
    // Visits each object under its own lock, one sweep at a time. This list is locked only
    // to find the next one, so nobody who comes or goes waits for a visit; and an object
    // whose lock is taken is passed by, because somebody is at work on it.
    template <class Visit>
    void sweep(Visit visit) {
        for (std::size_t left = size(); left > 0; --left) {
            std::unique_lock lock{guard_};
            if (all_.empty()) {
                return;
            }
            all_.splice(all_.end(), all_, all_.begin()); // round and round
            Object& next = *all_.back();
            const std::unique_lock held = next.try_lock(); // now it cannot be destroyed
            lock.unlock();
            if (held) {
                visit(next);
            }
        }
    }
    // [/sweep]

private:
    mutable std::mutex guard_;
    std::condition_variable empty_;
    std::list<Object*> all_;
};
