#pragma once
/// \file
/// What the watch tells its launcher while the program runs: a few numbers in memory that
/// both of them see.

#include <cstddef>
#include <cstdint>

namespace iocp::watch {

/// The contents of an unnamed file mapping, which the launcher makes, fills with zeros but
/// for `version`, and lets the program inherit. It lives as long as either of them has it
/// open, so that the launcher still knows the findings when the program has crashed. Two
/// processes read and write it: each number through std::atomic_ref.
struct told {
    std::uint32_t version; ///< told_version, from the launcher; the watch leaves a mapping
                           ///< with another one alone
    std::uint32_t
        ready; ///< 1 from the watch, when it is between the program and the system
    std::uint32_t exact;     ///< findings about broken rules so far
    std::uint32_t heuristic; ///< findings that are only likely so far
};
static_assert(sizeof(told) == 16, "the launcher and the watch may come from two compilers");

/// What `told::version` says while `told` looks as it does here.
inline constexpr std::uint32_t told_version = 1;

/// How large the mapping is: `told`, and room for what it may say one day.
inline constexpr std::size_t told_bytes = 64;
static_assert(sizeof(told) <= told_bytes);

} // namespace iocp::watch
