#pragma once

#include "tests/support/client.hpp"

#include <winsock2.h>

#include <windows.h>

#include <cstddef>
#include <source_location>
#include <string>
#include <string_view>

/// \file
/// Checks that say in words what is wrong, where doctest would show two numbers or two long texts. check_... goes on
/// with the case, require_... ends it.

namespace support {

#ifdef __cpp_lib_source_location
using place = std::source_location;
#else // clang 14, which checks this code, cannot read GCC's <source_location>
struct place {
    static constexpr place current() { return {}; }
    static constexpr const char* file_name() { return ""; }
    static constexpr unsigned line() { return 0; }
};
#endif

/// The same bytes, in the same order.
void check_same(std::string_view came, std::string_view sent, const place& at = place::current());
void require_same(std::string_view came, std::string_view sent, const place& at = place::current());

/// These bytes came until the end of the stream, and it is an end and not a reset.
void check_rest(const rest_of_stream& rest, std::string_view sent, const place& at = place::current());

/// The stream was ended and not reset.
void check_orderly(const rest_of_stream& rest, const place& at = place::current());

/// The client is neither answered nor let go for a while.
/// \param although why it has to wait
void require_hears_nothing(client& one, std::string_view although, const place& at = place::current());

/// The server has cut the connection of a client that reads nothing.
void check_cut_off(client& one, const place& at = place::current());

/// Holds the part, or does not.
void check_contains(std::string_view text, std::string_view part, std::string_view what,
                    const place& at = place::current());
void check_lacks(std::string_view text, std::string_view part, std::string_view what,
                 const place& at = place::current());

/// Exactly one line.
void check_one_line(std::string_view text, std::string_view what, const place& at = place::current());

void check_status(DWORD status, DWORD expected, const place& at = place::current());

/// As many as expected.
void check_count(std::size_t now, std::size_t expected, std::string_view of_what, const place& at = place::current());

/// It is less than `at_most` more than before.
void check_growth(std::size_t now, std::size_t before, std::size_t at_most, std::string_view of_what,
                  const place& at = place::current());

} // namespace support
