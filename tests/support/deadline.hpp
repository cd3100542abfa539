#pragma once

#include <algorithm>
#include <chrono>

namespace support {

using namespace std::chrono_literals;

/// How long a test waits for what should come at once. Nothing is measured with it: it only ends a test that would
/// hang, and is long enough for a machine that has ten other things to do.
inline constexpr std::chrono::milliseconds patience{20'000};

/// How long a test listens before it says that nothing comes. Every such test also shows, after it, that something
/// does come once the cause is gone: the answer was late because it had to wait, not because it was slow.
inline constexpr std::chrono::milliseconds quiet{200};

/// A point in time that several waits share.
class deadline {
public:
    explicit deadline(std::chrono::milliseconds from_now = patience) : when_(clock::now() + from_now) {}

    std::chrono::steady_clock::time_point when() const { return when_; }

    bool passed() const { return clock::now() >= when_; }

    /// What is left, rounded up and never negative, as WSAPoll and WaitForSingleObject take it.
    int milliseconds_left() const {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(when_ - clock::now()).count();
        return static_cast<int>(std::max<long long>(left, 0));
    }

private:
    using clock = std::chrono::steady_clock;
    clock::time_point when_;
};

} // namespace support
