#pragma once

#include "common/watch/check.hpp"
#include "common/watch/record.hpp"
#include "common/watch/symbols.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace iocp::watch {

/// What the trace's first line says. tests/watch/trace_schema.csv lists every event of this
/// version and its fields.
inline constexpr std::uint32_t trace_version = 1;

/// The name of an event in the trace.
const char* event_name(record_kind kind);

/// The last part of a path: traces are shown to others, whom the folders of this machine do
/// not concern.
std::string_view base_name(std::string_view path);

/// The trace: one JSON object a line for everything that happened.
class trace {
public:
    /// Appends the line of one record.
    void add(std::string& to, const record& what);
    /// Appends the line of a finding.
    void add(std::string& to, const finding& found, const std::vector<frame>& here,
             const std::vector<frame>& submitted);
    /// Appends the last line.
    /// \param end the record of the program's end
    void end(std::string& to, const record& end, std::uint32_t exact,
             std::uint32_t heuristic);

private:
    // Findings have lines, too, so the lines are counted here and not by the recorder.
    std::uint64_t lines_ = 0;
};

/// \return whether a call moves bytes, so that its byte count means something
bool transfers(std::string_view call);

} // namespace iocp::watch
