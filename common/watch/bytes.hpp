#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string_view>
#include <type_traits>

namespace iocp::watch {

/// A table in a file is not what it should be: cut off, damaged, or of a kind that is not
/// known.
class broken_table : public std::runtime_error {
public:
    broken_table() : std::runtime_error("broken table") {}
};

/// Reads a table of bytes from front to back and never past its end.
///
/// All but the constructor throw broken_table where the table is too short.
class bytes {
public:
    explicit bytes(std::string_view table) : table_(table) {}

    std::size_t at() const { return at_; }
    std::size_t left() const { return table_.size() - at_; }
    bool at_end() const { return at_ >= table_.size(); }

    void go_to(std::uint64_t place) {
        if (place > table_.size()) {
            throw broken_table();
        }
        at_ = static_cast<std::size_t>(place);
    }

    std::string_view take(std::uint64_t count) {
        if (count > left()) {
            throw broken_table();
        }
        const std::string_view taken = table_.substr(at_, static_cast<std::size_t>(count));
        at_ += taken.size();
        return taken;
    }

    /// A number, or a structure of the system, as it lies there.
    template <typename Value>
    Value read() {
        static_assert(std::is_trivially_copyable_v<Value>);
        Value value{};
        std::memcpy(&value, take(sizeof value).data(), sizeof value);
        return value;
    }

    /// A number of one to eight bytes, the lowest first.
    std::uint64_t number(std::size_t size) {
        std::uint64_t value = 0;
        if (size > sizeof value) {
            throw broken_table();
        }
        std::memcpy(&value, take(size).data(), size);
        return value;
    }

    /// A number of seven bits a byte, the lowest first; the eighth says that more follow.
    std::uint64_t leb() { return leb_and_bits().value; }
    std::int64_t signed_leb() {
        const packed one = leb_and_bits();
        const bool negative = one.bits < 64 && (one.value >> (one.bits - 1) & 1) != 0;
        return static_cast<std::int64_t>(
            negative ? one.value | ~std::uint64_t{0} << one.bits : one.value);
    }

    /// Up to its terminating zero, which is skipped.
    std::string_view text() {
        const std::size_t end = table_.find('\0', at_);
        if (end == std::string_view::npos) {
            throw broken_table();
        }
        const std::string_view found = table_.substr(at_, end - at_);
        at_ = end + 1;
        return found;
    }

private:
    struct packed {
        std::uint64_t value = 0;
        unsigned bits = 0;
    };

    packed leb_and_bits() {
        packed one;
        for (bool more = true; more; one.bits += 7) {
            const auto part = read<std::uint8_t>();
            if (one.bits < 64) {
                one.value |= std::uint64_t{part & 0x7fU} << one.bits;
            }
            more = (part & 0x80U) != 0;
        }
        return one;
    }

    std::string_view table_;
    std::size_t at_ = 0;
};

} // namespace iocp::watch
