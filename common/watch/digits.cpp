#include "common/watch/digits.hpp"

#include <charconv>
#include <cstddef>
#include <iterator>

namespace iocp::watch {

std::string with_commas(std::uint64_t number) {
    std::string digits = std::to_string(number);
    for (std::size_t at = digits.size(); at > 3;) {
        at -= 3;
        digits.insert(at, 1, ',');
    }
    return digits;
}

std::string hexadecimal(std::uint64_t number) {
    char digits[16]; // of the largest number
    const auto end = std::to_chars(std::begin(digits), std::end(digits), number, 16).ptr;
    return std::string{"0x"}.append(std::begin(digits), end);
}

} // namespace iocp::watch
