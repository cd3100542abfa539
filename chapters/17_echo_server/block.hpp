#pragma once
// The engine, block.hpp: room for what is received, little at rest and much under load.

#include "common/error.hpp"

#include <winsock2.h>

#include <windows.h>

#include <cstddef>
#include <mutex>
#include <new>
#include <utility>

// [block]
// Bytes on their way from a receive to a send.
struct block {
    char* const bytes;
    const ULONG size;
    ULONG begin = 0; // received and not yet sent: bytes[begin, end)
    ULONG end = 0;
    block* next = nullptr;
    void (*give_back)(block&) noexcept = nullptr; // for what is not the connection's own
};

template <ULONG Size>
struct block_of : block {
    block_of() noexcept : block{room, Size} {} // what is in `room` does not matter yet
    char room[Size];
};
using small_block = block_of<512>;
using large_block = block_of<64 * 1024>;
// [/block]

// [free_list]
// Large blocks that nobody uses, for all workers. A few are kept; what is over goes back to
// the system, by VirtualFree, since a heap might keep it.
class free_list {
public:
    static constexpr std::size_t most_kept = 8;

    free_list() = default;
    ~free_list() {
        while (first_ != nullptr) {
            to_system(*std::exchange(first_, first_->next));
        }
    }
    free_list(const free_list&) = delete;
    free_list& operator=(const free_list&) = delete;

    block* take() noexcept { // null: the system has no memory to give
        std::unique_lock lock{lock_};
        if (first_ != nullptr) {
            --kept_;
            return std::exchange(first_, first_->next);
        }
        lock.unlock();
        void* const fresh = ::VirtualAlloc(nullptr, sizeof(large_block),
                                           MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
        return fresh == nullptr ? nullptr : new (fresh) large_block;
    }
    void give(block& used) noexcept {
        std::unique_lock lock{lock_};
        if (kept_ == most_kept) {
            lock.unlock();
            to_system(used);
            return;
        }
        used.next = std::exchange(first_, &used);
        ++kept_;
    }

private:
    static void to_system(block& used) noexcept {
        if (!::VirtualFree(static_cast<large_block*>(&used), 0, MEM_RELEASE)) {
            iocp::report(::GetLastError(), "VirtualFree");
        }
    }

    std::mutex lock_; // of all below; no other lock is taken while it is held
    block* first_ = nullptr;
    std::size_t kept_ = 0;
};
inline free_list free_blocks;
// [/free_list]
