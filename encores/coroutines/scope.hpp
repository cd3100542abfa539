#pragma once
// What all coroutines of a server share: the request to stop, and the way that it takes to
// each operation in flight.

#include "common/live_set.hpp"

#include <mutex>
#include <stop_token>
#include <utility>

// A link in the list of a scope.
class cancellable {
public:
    virtual void cancel() noexcept = 0;

protected:
    ~cancellable() = default;

private:
    friend class scope;
    cancellable* before_ = nullptr;
    cancellable* after_ = nullptr;
};

// A coroutine that has not run to its end.
struct living {};

// [scope]
// Any thread may call any function.
class scope {
public:
    // request_stop of its source cancels what is in flight, on the thread that calls it.
    explicit scope(std::stop_token stop)
        : stop_{std::move(stop)}, on_stop_{stop_, cancel_all{*this}} {}
    scope(const scope&) = delete;
    scope& operator=(const scope&) = delete;

    bool stop_requested() const noexcept { return stop_.stop_requested(); }

    void enter(cancellable& one) noexcept {
        const std::lock_guard lock{lock_};
        one.before_ = nullptr;
        one.after_ = first_;
        if (first_ != nullptr) {
            first_->before_ = &one;
        }
        first_ = &one;
    }

    void leave(cancellable& one) noexcept {
        const std::lock_guard lock{lock_};
        (one.before_ != nullptr ? one.before_->after_ : first_) = one.after_;
        if (one.after_ != nullptr) {
            one.after_->before_ = one.before_;
        }
    }

    iocp::live_set<living> frames; // only to know when there are none

private:
    // An operation that is in the list does not go: its coroutine takes it out first.
    struct cancel_all {
        scope& all;
        void operator()() const noexcept {
            const std::lock_guard lock{all.lock_};
            for (cancellable* each = all.first_; each != nullptr; each = each->after_) {
                each->cancel();
            }
        }
    };

    const std::stop_token stop_;
    std::mutex lock_; // of the list
    cancellable* first_ = nullptr;
    const std::stop_callback<cancel_all> on_stop_;
};
// [/scope]
