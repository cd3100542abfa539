#pragma once

#include "common/watch/depth.hpp"
#include "common/watch/hooks.hpp"

#include <optional>
#include <utility>
#include <vector>

namespace iocp::watch {

/// A buffer that an operation lends.
/// \param written the system writes to it
lent_memory lent(const void* address, std::size_t bytes, bool written);

/// The same for an array of them.
std::vector<lent_memory> lent(const WSABUF* buffers, DWORD count, bool written) noexcept;

/// Adds to what an operation lends. Where there is no memory for the list the recorder
/// loses sight, and the program's call goes on.
void add(std::vector<lent_memory>& list, const lent_memory& one) noexcept;

/// A list of one.
std::vector<lent_memory> only(const lent_memory& one) noexcept;

/// Stands in for every completion routine.
void CALLBACK our_routine(DWORD error, DWORD bytes, OVERLAPPED* overlapped, DWORD flags);

// [submit]
/// Around a call that submits an operation. `function` makes the real call, with the
/// routine that it is given, and says whether it has succeeded at once.
template <typename Function>
bool submit(submission next, const DWORD* bytes, Function function) {
    recorder& record = *hooks().record;
    const LPWSAOVERLAPPED_COMPLETION_ROUTINE theirs = next.routine;
    // Before the real call: another thread may have dequeued the packet before that
    // returns.
    const ticket entered = record.submit(std::move(next));
    const bool tracked = entered.operation != 0;
    const bool immediate = function(theirs != nullptr && tracked ? &our_routine : theirs);
    const kept_error error;
    record.returned(entered, immediate,
                    immediate && bytes != nullptr ? std::optional<std::uint32_t>(*bytes)
                                                  : std::nullopt,
                    immediate ? 0 : error.value());
    return immediate;
}
// [/submit]

/// The same calls without an OVERLAPPED block, as recv and send do.
template <typename Function>
int block(const char* name, SOCKET handle, const DWORD* bytes, Function function) {
    recorder& record = *hooks().record;
    const ticket entered = record.enter(name, handle);
    const int result = function();
    const kept_error error;
    const bool ok = result == 0;
    record.leave(entered, ok, ok && bytes != nullptr ? *bytes : 0, ok ? 0 : error.value());
    return result;
}

} // namespace iocp::watch
