#pragma once

#include <cstddef>
#include <optional>
#include <type_traits>

namespace iocp::watch {

/// Copies memory that may be gone, or go while it is read: then nothing is copied, and the
/// program goes on. Last error is left as it was.
/// \return whether all of it was there
bool guarded_read(void* to, const void* from, std::size_t bytes);

/// The same for one object; nothing where it is not there any more.
template <typename Value>
std::optional<Value> guarded_read(const Value* from) {
    static_assert(std::is_trivially_copyable_v<Value>);
    Value value{};
    return guarded_read(&value, from, sizeof(value)) ? std::optional<Value>(value)
                                                     : std::nullopt;
}

} // namespace iocp::watch
