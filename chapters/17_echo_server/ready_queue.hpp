#pragma once
// The engine, ready_queue.hpp: operations that wait for their turn.

#include "operation.hpp"

#include <cstddef>
#include <utility>

// [ready_queue]
// The link is in the operation itself, so to put one in allocates nothing.
class ready_queue {
public:
    bool empty() const noexcept { return first_ == nullptr; }
    std::size_t size() const noexcept { return size_; }

    void put_last(operation& one) noexcept {
        one.next = nullptr;
        *end_ = &one;
        end_ = &one.next;
        ++size_;
    }
    void put_first(operation& one) noexcept {
        one.next = first_;
        if (first_ == nullptr) {
            end_ = &one.next;
        }
        first_ = &one;
        ++size_;
    }
    operation* take() noexcept { // null: empty
        operation* const one = first_;
        if (one != nullptr) {
            first_ = one->next;
            if (first_ == nullptr) {
                end_ = &first_;
            }
            --size_;
        }
        return one;
    }

private:
    operation* first_ = nullptr;
    operation** end_ = &first_; // where the next one is linked
    std::size_t size_ = 0;
};
// [/ready_queue]
