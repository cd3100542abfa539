#pragma once

#include "common/watch/check.hpp"
#include "common/watch/record.hpp"

#include <cstdint>
#include <map>
#include <string>

namespace iocp::watch {

/// The trace in the format of Chrome's trace viewer, which Perfetto (ui.perfetto.dev) reads
/// as well: one JSON object whose `traceEvents` are listed in the order in which they are
/// added.
///
/// The list is followed by an end after every piece that is written, which the next piece
/// overwrites: the file can be read at any time, also when the program has crashed.
class chrome_trace {
public:
    /// What the file begins with, and what has to follow the last event.
    static constexpr char begin[] = "{\"traceEvents\": [\n";
    static constexpr char end[] = "\n]}\n";

    /// Appends the events of one record; for some there are none.
    void add(std::string& to, const record& what);
    /// Appends a finding.
    void add(std::string& to, const finding& found);
    /// Appends the ends of what is still in flight when the program ends.
    void add_ends(std::string& to, std::uint64_t nanoseconds);

private:
    struct open_operation {
        std::string name;
        std::uint32_t thread = 0;
    };

    void add_begin(std::string& to, const record& what);
    void add_end(std::string& to, std::uint64_t number, std::uint64_t nanoseconds,
                 std::uint32_t thread, const char* how);

    std::map<std::uint64_t, open_operation> in_flight_;
    bool first_ = true;
};

} // namespace iocp::watch
