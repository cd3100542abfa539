#pragma once
/// \file
/// Which objects of a kind there are, for the moment when all must be told to end (chapter 07 shows it raw).

#include <cstddef>
#include <mutex>
#include <set>

namespace iocp {

/// A set of objects that it does not own. Objects enter it in their constructor and leave it in their destructor.
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
    }

    std::size_t size() const noexcept {
        const std::lock_guard lock{guard_};
        return objects_.size();
    }

    /// Calls \p visit for each object. No object enters or leaves meanwhile, so \p visit must neither make one nor
    /// destroy one.
    template <class Visit>
    void for_each(Visit visit) const {
        const std::lock_guard lock{guard_};
        for (Object* object : objects_) {
            visit(*object);
        }
    }

private:
    mutable std::mutex guard_;
    std::set<Object*> objects_;
};

} // namespace iocp
