#pragma once
// The bytes that a connection sends, and so the bytes that it has to get back.

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

// Each connection has a stream of its own: the same random bytes over and over, from a place that its number decides.
// The period is a prime, so that no message size divides it and a message never equals the one before.
// A message lies in one piece, ready to be sent from and to be compared with; nothing is made while the clock runs.
class pattern {
public:
    explicit pattern(std::size_t largest_message) : bytes_(period + largest_message) {
        std::mt19937 random{20'240'229};
        for (std::size_t i = 0; i < period; ++i) {
            bytes_[i] = static_cast<char>(random() & 0xFFU);
        }
        for (std::size_t i = period; i < bytes_.size(); ++i) {
            bytes_[i] = bytes_[i - period];
        }
    }

    // The largest message, from a place in the stream of a connection.
    const char* at(std::uint64_t connection, std::uint64_t offset) const {
        return bytes_.data() + (connection * 7919 + offset) % period;
    }

private:
    static constexpr std::size_t period = 65'521;
    std::vector<char> bytes_;
};
