#include "common/watch/world.hpp"

#include "common/watch/guarded_read.hpp"

#include <algorithm>
#include <utility>

namespace iocp::watch {

HANDLE event_of(const operation& one) {
    const auto event = reinterpret_cast<std::uintptr_t>(one.event) & ~std::uintptr_t{1};
    return event == 0 ? reinterpret_cast<HANDLE>(one.handle)
                      : reinterpret_cast<HANDLE>(event);
}

bool is_pending(const operation& one) {
    return !one.gone && guarded_read(&one.overlapped->Internal) == still_pending;
}

const operation* world::with(const OVERLAPPED* overlapped) const {
    const auto found = by_overlapped_.find(overlapped);
    return found == by_overlapped_.end() ? nullptr : &operations.at(found->second);
}

const socket_info* world::socket(SOCKET handle) const {
    const auto found = sockets.find(handle);
    return found == sockets.end() ? nullptr : &found->second;
}

bool world::is_unannounced(const operation& next) const {
    const auto found = pool_ios.find(next.pool);
    return next.told == told_by::pool && found != pool_ios.end() && found->second.sure &&
           found->second.in_flight >= found->second.announced;
}

bool world::is_open(std::uint32_t port) const {
    return std::any_of(ports.begin(), ports.end(),
                       [port](const auto& one) { return one.second.number == port; });
}

// \param found is called with each operation that has lent some byte, perhaps several
// times, until it returns false
template <typename Found>
void world::each_range(std::uintptr_t begin, std::uintptr_t end, Found found) const {
    // A range that begins before `begin` reaches into it only when it is long enough.
    auto candidate = ranges_.upper_bound(begin > longest_ ? begin - longest_ : 0);
    if (candidate != ranges_.begin()) {
        --candidate;
    }
    for (; candidate != ranges_.end() && candidate->first < end; ++candidate) {
        if (candidate->second.end > begin && !found(candidate->second.operation)) {
            return;
        }
    }
}

std::vector<const operation*> world::touching(std::uintptr_t begin,
                                              std::uintptr_t end) const {
    std::vector<const operation*> all;
    each_range(begin, end, [&](std::uint64_t number) {
        const operation* const one = &operations.at(number);
        if (std::find(all.begin(), all.end(), one) == all.end()) {
            all.push_back(one);
        }
        return true;
    });
    return all;
}

bool world::sends_on(std::uint32_t socket) const {
    return std::any_of(operations.begin(), operations.end(), [&](const auto& entry) {
        return entry.second.socket == socket && is_send(entry.second.call);
    });
}

bool world::is_lent(std::uintptr_t begin, std::uintptr_t end) const noexcept {
    bool found = false;
    each_range(begin, end, [&](std::uint64_t) {
        found = true;
        return false;
    });
    return found;
}

operation& world::lend(operation next) {
    const std::uint64_t number = next.number;
    // First, so that whatever else fails no name leads to an operation that is not there.
    operation& lent = operations.emplace(number, std::move(next)).first->second;
    by_overlapped_[lent.overlapped] = number;
    for (const lent_memory& memory : lent.memory) {
        if (memory.bytes > 0) {
            ranges_.emplace(memory.address, range{memory.address + memory.bytes, number});
            longest_ = std::max(longest_, memory.bytes);
        }
    }
    return lent;
}

operation world::take_back(std::uint64_t number) {
    auto node = operations.extract(number);
    operation done = std::move(node.mapped());
    for (const lent_memory& memory : done.memory) {
        const auto [first, last] = ranges_.equal_range(memory.address);
        const auto mine = std::find_if(first, last, [&](const auto& entry) {
            return entry.second.operation == number;
        });
        if (mine != last) {
            ranges_.erase(mine);
        }
    }
    // A program that has submitted an OVERLAPPED twice has two operations of that name. The
    // other one takes it over.
    if (const auto named = by_overlapped_.find(done.overlapped);
        named != by_overlapped_.end() && named->second == number) {
        by_overlapped_.erase(named);
        for (const operation* const other :
             touching(reinterpret_cast<std::uintptr_t>(done.overlapped),
                      reinterpret_cast<std::uintptr_t>(done.overlapped) + 1)) {
            if (other->overlapped == done.overlapped) {
                by_overlapped_[done.overlapped] = other->number;
            }
        }
    }
    if (ranges_.empty()) {
        longest_ = 0;
    }
    return done;
}

} // namespace iocp::watch
