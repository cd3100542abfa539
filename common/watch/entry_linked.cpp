// The watch in a program that it is linked with: it begins before the program's own objects
// are made, and ends after they are gone.

#include "common/watch/watching.hpp"

#include <cstdio>

#if defined(_MSC_VER)
#pragma warning(disable : 4073) // the early place is what is wanted here
#pragma init_seg(lib)
#define IOCP_WATCH_EARLY
#else
#define IOCP_WATCH_EARLY [[gnu::init_priority(101)]]
#endif

namespace {

// On the thread that ends, for each thread that has set a value: unlike DllMain this
// reaches a program, too. It is called when a fiber is deleted as well, and then its thread
// goes on: of a thread with fibers the end is not told.
void WINAPI thread_has_ended(void*) {
    if (!::IsThreadAFiber()) {
        iocp::watch::end_of_thread();
    }
}

// [linked]
class linked_watch {
public:
    linked_watch() {
        iocp::watch::begin_watching(nullptr);
        iocp::watch::tell_of_threads(&thread_has_ended);
    }

    // Runs inside exit(). Whoever was to be strict must change the status here: there is no
    // later moment.
    ~linked_watch() {
        if (iocp::watch::end_of_program(true, true)) {
            std::fflush(nullptr); // the C runtime would have done that next
            ::ExitProcess(iocp::watch::status_when_strict);
        }
    }

    linked_watch(const linked_watch&) = delete;
    linked_watch& operator=(const linked_watch&) = delete;
};

IOCP_WATCH_EARLY const linked_watch instance;
// [/linked]

} // namespace
