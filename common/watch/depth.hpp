#pragma once

#include <winsock2.h>

#include <windows.h>

#include <atomic>
#include <cstdint>

namespace iocp::watch {

/// While one of these lives, calls of this thread go through to the system and are not
/// recorded.
///
/// It counts in a slot of TlsAlloc. A thread_local would not do: it may allocate and free
/// memory, which leads back into the watch. Last error is left as it was.
class unwatched {
public:
    /// Once, before the first.
    static void prepare();

    unwatched();
    ~unwatched();

    unwatched(const unwatched&) = delete;
    unwatched& operator=(const unwatched&) = delete;

    /// \return whether this one is the first on its thread: the program's own call, and not
    /// one that the watch made
    bool outermost() const { return depth_ == 0; }

    /// \return the same, as long as the watch looks at what the program does
    bool is_watched() const { return outermost() && !blind; }

    /// From now on nothing is watched.
    static void for_good() { blind = true; }

private:
    static inline std::atomic<bool> blind = false;
    std::uintptr_t depth_;
};

} // namespace iocp::watch
