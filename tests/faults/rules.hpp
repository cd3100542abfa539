#pragma once
/// \file
/// The rules of IOCP_FAULTS, and what they say of a call. Nothing in here allocates: operator new asks, too.

#include <cstddef>
#include <cstdint>

namespace faults {

/// A call goes on as usual.
inline constexpr std::uint32_t none = 0;

/// Reads IOCP_FAULTS, once, before the program's first call. Ends the program when a rule is wrong or names nothing
/// that is known.
/// \param known the names that a rule may begin with, by their number
void read_rules(const char* const* known, std::size_t count);

/// To be asked at each call. Does not come back for a rule that says `hang`.
/// \param what the name's number
/// \return the code to fail with; none when this call is to go on
std::uint32_t fault_of(std::size_t what) noexcept;

/// The same for operator new, which fails for `size` bytes. false: it goes on.
bool allocation_fails(std::size_t what, std::size_t size) noexcept;

} // namespace faults
