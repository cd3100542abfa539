#pragma once

#include <winsock2.h>

#include <windows.h>

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

private:
    std::uintptr_t depth_;
};

} // namespace iocp::watch
