#pragma once

#include "common/watch/world.hpp"

namespace iocp::watch {

/// The calls that lead to here. No symbols are looked up, so it may be called with locks
/// held.
call_stack capture_stack();

/// The frame, on this thread's stack, of the function that returns first of those whose
/// local variables are lent.
///
/// \return null when no lent memory lies on the stack
frame_mark first_frame_of(const std::vector<lent_memory>& memory,
                          const thread_info& thread);

} // namespace iocp::watch
