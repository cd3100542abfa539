#pragma once
/// \file
/// Which objects of a kind there are, for the moment when all must be told to end (chapter
/// 07 shows it raw).

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <set>

namespace iocp {

/// A set of objects that it does not own. Objects enter it in their constructor and leave
/// it in their destructor.
template <class Object>
class live_set {
public:
    void enter(Object& object) {
        const std::lock_guard lock{guard_};
        objects_.insert(&object);
    }
    void leave(Object& object) noexcept {
        const std::lock_guard lock{guard_};
        objects_.erase(&object);
        if (objects_.empty()) {
            empty_.notify_all(); // under the lock: whoever waits may destroy this set as
                                 // soon as it is released
        }
    }

    /// Waits until all have left, or until \p limit has passed.
    /// \return whether the set is empty
    bool wait_until_empty(std::chrono::milliseconds limit) const {
        std::unique_lock lock{guard_};
        return empty_.wait_for(lock, limit, [this] { return objects_.empty(); });
    }

    std::size_t size() const noexcept {
        const std::lock_guard lock{guard_};
        return objects_.size();
    }

    /// Calls \p visit for each object. No object enters or leaves meanwhile, so \p visit
    /// must neither make one nor destroy one.
    template <class Visit>
    void for_each(Visit visit) const {
        const std::lock_guard lock{guard_};
        for (Object* object : objects_) {
            visit(*object);
        }
    }

private:
    mutable std::mutex guard_;
    mutable std::condition_variable empty_;
    std::set<Object*> objects_;
};

} // namespace iocp
