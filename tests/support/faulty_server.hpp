#pragma once

#include "tests/faults/faults.hpp"
#include "tests/support/server.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace support {

/// What a case about calls that fail says: `TEST_CASE("..." * needs_faults())`. They need the chapter's own objects, so
/// neither a reader's own server has them nor the one with the watch in it: there the case is skipped. After
/// doctest::skip, if that is there, too.
struct needs_faults {
    void fill(doctest::detail::TestCase& state) const; ///< what doctest calls
};

/// The chapter's server, in which calls fail as tests/faults/faults.hpp says.
///
///     faulty_server running("accept:10024:1-@"); // none is left, until the test says otherwise
///     running.switch_on();
///     client one(running.where());
///     running.wait_for_faults(3);
///     running.switch_off();
///     CHECK(one.exchange("hello") == "hello");
class faulty_server : public server {
public:
    explicit faulty_server(const std::string& rules, const std::vector<std::wstring>& arguments = {});
    ~faulty_server();

    /// From here on the rules that end with @ count.
    void switch_on() { state_->on = 1; }
    void switch_off() { state_->on = 0; }

    /// How many calls the rule has counted, and how many of them it has made fail. Also when the server has ended.
    /// \param rule in the order in which they were given, from 0
    std::uint32_t calls(std::size_t rule = 0) const { return state_->rules[rule].calls; }
    std::uint32_t faults(std::size_t rule = 0) const { return state_->rules[rule].faults; }

    /// Waits until the rule has made so many calls fail. A failure when it does not.
    void wait_for_faults(std::uint32_t count, std::size_t rule = 0) const;

    /// Waits until the rule has counted so many calls. A failure when it does not.
    void wait_for_calls(std::uint32_t count, std::size_t rule = 0) const;

private:
    void* mapping_ = nullptr;
    faults::shared_state* state_ = nullptr;
};

/// Runs the faulty program to its end, as run_to_end() does with the other.
finished_program run_to_end_with_faults(const std::string& rules, const std::vector<std::wstring>& arguments);

} // namespace support
