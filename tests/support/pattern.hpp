#pragma once

#include <cstddef>
#include <string>

namespace support {

/// The byte that client number `client` sends at `offset`: no two clients and no two shifts of one stream look alike,
/// so that bytes that are lost, doubled, swapped or another client's are seen.
constexpr char pattern_byte(std::size_t client, std::size_t offset) {
    std::size_t mixed = offset * 2654435761U + client * 40503U;
    mixed ^= mixed >> 15;
    return static_cast<char>(mixed & 0xFF);
}

/// The first `size` bytes of a client's stream.
inline std::string pattern(std::size_t size, std::size_t client = 0) {
    std::string bytes(size, '\0');
    for (std::size_t i = 0; i < size; ++i) {
        bytes[i] = pattern_byte(client, i);
    }
    return bytes;
}

/// Each byte value once.
inline std::string all_byte_values() {
    std::string bytes(256, '\0');
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<char>(i);
    }
    return bytes;
}

} // namespace support
