#include "common/watch/stack.hpp"

#include <algorithm>

namespace iocp::watch {

call_stack capture_stack() {
    call_stack frames{};
    ::RtlCaptureStackBackTrace(0, static_cast<DWORD>(frames.size()), frames.data(),
                               nullptr);
    return frames;
}

namespace {

// The frame on this thread's stack that holds an address.
//
// Every function that calls another one has unwind data, or the system could not unwind it
// either. Code that has none, made at run time or in assembler, ends the search: what it
// has on the stack nobody knows. And each step has to lead upwards on this stack.
frame_mark frame_around(std::uintptr_t address, std::uintptr_t stack_high) {
    CONTEXT context{};
    ::RtlCaptureContext(&context);
    while (context.Rip != 0) {
        DWORD64 base = 0;
        RUNTIME_FUNCTION* const function =
            ::RtlLookupFunctionEntry(context.Rip, &base, nullptr);
        if (function == nullptr) {
            break;
        }
        const DWORD64 before = context.Rsp;
        void* handler_data = nullptr;
        DWORD64 establisher = 0;
        ::RtlVirtualUnwind(UNW_FLAG_NHANDLER, base, context.Rip, function, &context,
                           &handler_data, &establisher, nullptr);
        if (context.Rsp <= before || context.Rsp >= stack_high ||
            context.Rsp % sizeof(DWORD64) != 0) {
            break;
        }
        // Just below the caller's part of the stack is the return address.
        const auto place =
            static_cast<std::uintptr_t>(context.Rsp) - sizeof(std::uintptr_t);
        if (address < place) {
            return {reinterpret_cast<const std::uintptr_t*>(place),
                    static_cast<std::uintptr_t>(context.Rip)};
        }
    }
    return {};
}

} // namespace

frame_mark first_frame_of(const std::vector<lent_memory>& memory,
                          const thread_info& thread) {
    std::uintptr_t lowest = thread.stack_high;
    for (const lent_memory& one : memory) {
        if (one.address >= thread.stack_low) {
            lowest = std::min(lowest, one.address);
        }
    }
    const char marker = 0;
    const auto here = reinterpret_cast<std::uintptr_t>(&marker);
    const bool on_this_stack = here >= thread.stack_low && here < lowest; // not a fiber's
    return on_this_stack && lowest < thread.stack_high
               ? frame_around(lowest, thread.stack_high)
               : frame_mark{};
}

} // namespace iocp::watch
