#pragma once

#include "common/watch/check.hpp"
#include "common/watch/record.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace iocp::watch {

/// Tells people what happens, a line an event.
///
/// The submit of an operation and the return of that call are one line, which comes when
/// the call has returned. If something must be told before that, such as the operation's
/// packet on another thread, the line comes earlier and the return gets one of its own.
class narration {
public:
    /// \param only   the sockets to tell of; empty: all, and what belongs to no socket
    /// \param colour for a terminal
    narration(std::vector<std::uint32_t> only, bool colour)
        : only_(std::move(only)), colour_(colour) {}

    /// Appends the line of one record, or several, or none.
    void tell(std::string& to, const record& what);
    /// Appends the line of the call that a thread is inside, for a finding about it that
    /// follows.
    void tell_call_of(std::string& to, std::uint32_t thread);
    /// Appends the lines of calls that have not returned, for the end.
    void tell_rest(std::string& to);

private:
    struct line;

    bool is_wanted(const record& what) const;
    void print(std::string& to, const line& one) const;
    void tell_early(std::string& to, std::uint64_t operation);
    void tell_submit(std::string& to, const record& submit, const record& returned);
    void tell_return(std::string& to, const record& returned);
    void tell_end(std::string& to, const record& what);
    void introduce(std::string& to, const record& start) const;
    line about(const record& what) const;

    std::vector<std::uint32_t> only_;
    bool colour_;
    std::map<std::uint64_t, record>
        calls_; ///< submits whose line is still to come, by operation
    std::map<std::uint64_t, std::uint32_t>
        accepts_;           ///< by operation: the socket that is to be the connection
    std::uint64_t now_ = 0; ///< time of the last record, in nanoseconds
};

} // namespace iocp::watch
