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
frame_mark frame_around(std::uintptr_t address) {
    CONTEXT context{};
    ::RtlCaptureContext(&context);
    while (context.Rip != 0) {
        DWORD64 base = 0;
        if (RUNTIME_FUNCTION* const function =
                ::RtlLookupFunctionEntry(context.Rip, &base, nullptr)) {
            void* handler_data = nullptr;
            DWORD64 establisher = 0;
            ::RtlVirtualUnwind(UNW_FLAG_NHANDLER, base, context.Rip, function, &context,
                               &handler_data, &establisher, nullptr);
        } else { // a function without a frame
            context.Rip = *reinterpret_cast<const DWORD64*>(context.Rsp);
            context.Rsp += sizeof(DWORD64);
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
    return on_this_stack && lowest < thread.stack_high ? frame_around(lowest)
                                                       : frame_mark{};
}

} // namespace iocp::watch
