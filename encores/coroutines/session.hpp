#pragma once
// What a coroutine for a client returns: nothing that anybody could hold, or destroy.

#include "operation.hpp"
#include "scope.hpp"

#include "common/unique.hpp"

#include <coroutine>
#include <cstdio>
#include <exception>

// [session]
// It has no handle of its frame, so no caller can destroy one. A frame is owned by the code
// that runs in it; while it stands still, by the operation that it waits for, which knows
// one thing to do with it: to let it go on. At its end it destroys itself.
struct session {
    class promise_type : public living {
    public:
        promise_type(scope& all, const iocp::unique_socket&) : all_{all} {
            all_.frames.enter(*this);
        }
        ~promise_type() { all_.frames.leave(*this); }
        promise_type(const promise_type&) = delete;
        promise_type& operator=(const promise_type&) = delete;

        // [frame]
        session get_return_object() noexcept { return {}; } // no handle in it
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; } // the frame goes
        // [/frame]
        void return_void() noexcept {}

        // This client is lost; the others are not. Nothing leaves the coroutine, so nothing
        // leaves the worker.
        void unhandled_exception() noexcept {
            try {
                throw;
            } catch (const stopped&) { // as it was asked to
            } catch (const std::exception& problem) {
                std::fprintf(stderr, "%s\n", problem.what());
            }
        }

    private:
        scope& all_;
    };
};
// [/session]
