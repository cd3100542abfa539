#include "common/watch/narration.hpp"

#include "common/watch/colour.hpp"
#include "common/watch/digits.hpp"
#include "common/watch/error_names.hpp"
#include "common/watch/trace.hpp"
#include "common/watch/words.hpp"

#include <winsock2.h>

#include <windows.h>

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>

namespace iocp::watch {

// The columns of a line.
struct narration::line {
    std::string time;
    std::string thread;
    std::string socket;
    std::string operation;
    std::string what;    ///< the call, or a word for the event
    std::string outcome; ///< how it ended
    std::string memory;  ///< what is lent, or back
    std::string more;
    bool failed = false;
    bool back = false;
};

namespace {

// Where each column begins. What is longer than its column moves the rest of its line only
// as far as it must.
constexpr std::size_t time_end = 9; // it stands at the right end of its column
constexpr std::size_t thread_column = 10;
constexpr std::size_t socket_column = 14;
constexpr std::size_t operation_column = 19;
constexpr std::size_t what_column = 25;
constexpr std::size_t outcome_column = 38;
constexpr std::size_t memory_column = 83;
constexpr std::size_t more_column = 116;

// What CancelIo asks to end.
std::string own_words(std::uint32_t own, const std::string& thread,
                      const std::string& socket) {
    return (own == 0   ? "nothing"
            : own == 1 ? "1 operation"
                       : std::to_string(own) + " operations") +
           (" of " + thread) + " on " + socket + " asked to end";
}

// Appends the cells of a line, and the spaces between them.
class columns {
public:
    explicit columns(std::string& to) : to_(to) {}

    void cell(std::string_view text, std::size_t column, const char* colour = nullptr) {
        if (text.empty()) {
            return;
        }
        const std::size_t spaces = std::max(column, at_ + (at_ == 0 ? 0 : 1)) - at_;
        to_.append(spaces, ' ');
        paint(to_, text, colour);
        at_ += spaces + text.size();
    }

private:
    std::string& to_;
    std::size_t at_ = 0;
};

} // namespace

bool narration::is_wanted(const record& what) const {
    const auto named = [this](std::uint32_t socket) {
        return std::find(only_.begin(), only_.end(), socket) != only_.end();
    };
    if (only_.empty() || what.kind == record_kind::start || named(what.socket) ||
        named(what.accept_socket)) {
        return true;
    }
    const auto accept = accepts_.find(what.operation);
    return accept != accepts_.end() && named(accept->second);
}

void narration::print(std::string& to, const line& one) const {
    const auto coloured = [this](const char* colour) { return colour_ ? colour : nullptr; };
    columns row{to};
    row.cell(one.time, time_end - std::min(time_end, one.time.size()),
             coloured(colours::quiet));
    row.cell(one.thread, thread_column);
    row.cell(one.socket, socket_column);
    row.cell(one.operation, operation_column);
    row.cell(one.what, what_column);
    row.cell(one.outcome, outcome_column, one.failed ? coloured(colours::failed) : nullptr);
    row.cell(one.memory, memory_column, coloured(one.back ? colours::back : colours::lent));
    row.cell(one.more, more_column);
    to += '\n';
}

void narration::introduce(std::string& to, const record& start) const {
    to.append("watch: ").append(base_name(start.text));
    to.append(". Seconds; t thread, s socket, # operation, p completion port, e event.\n");
    to.append("watch: Memory that is ");
    paint(to, "lent", colour_ ? colours::lent : nullptr);
    to.append(" is the system's until it is ");
    paint(to, "back", colour_ ? colours::back : nullptr);
    to.append(".\n");
}

// What every line has.
narration::line narration::about(const record& what) const {
    line one;
    one.time = seconds(what.nanoseconds);
    one.thread = marked('t', what.thread);
    one.socket = marked('s', what.socket);
    one.operation = marked('#', what.operation);
    one.what = what.call;
    one.failed = what.result == outcome::failed;
    if (what.back && !what.memory.empty()) {
        one.back = true;
        one.memory = "back " + memory_words(what.memory);
    }
    return one;
}

void narration::tell_submit(std::string& to, const record& submit, const record& returned) {
    line one = about(returned);
    one.outcome = return_words(returned, submit.told);
    if (!returned.back) {
        one.memory = "lent " + memory_words(submit.memory);
    }
    if (submit.accept_socket != 0) {
        one.more = "for " + marked('s', submit.accept_socket);
    }
    join(one.more, told_words(submit.told));
    print(to, one);
}

// The line of a call that is still inside the system, because something that happens
// meanwhile comes next.
void narration::tell_early(std::string& to, std::uint64_t operation) {
    const auto found = calls_.find(operation);
    if (found == calls_.end()) {
        return;
    }
    const record& submit = found->second;
    if (is_wanted(submit)) {
        line one = about(submit);
        one.outcome = "called, has not returned yet";
        one.memory = "lent " + memory_words(submit.memory);
        if (submit.accept_socket != 0) {
            one.more = "for " + marked('s', submit.accept_socket);
        }
        join(one.more, told_words(submit.told));
        print(to, one);
    }
    calls_.erase(found);
}

void narration::tell_return(std::string& to, const record& returned) {
    const auto found = calls_.find(returned.operation);
    if (found != calls_.end()) {
        const record submit = std::move(found->second);
        calls_.erase(found);
        if (is_wanted(submit)) {
            tell_submit(to, submit, returned);
        }
    } else if (is_wanted(returned)) {
        line one = about(returned);
        one.outcome = "has returned: " + return_words(returned, told_by::nothing);
        print(to, one);
    }
}

// A packet, a result or a routine.
void narration::tell_end(std::string& to, const record& what) {
    line one = about(what);
    one.what = what.told == told_by::pool ? "callback" : event_name(what.kind);
    one.outcome = ending_words(what);
    if (what.kind == record_kind::packet) {
        one.more = marked('p', what.port) + ", " + key_words(what.key);
        if (what.operation == 0) {
            one.outcome = what.posted ? "posted by the program" : "from elsewhere";
            one.outcome.append(
                what.result == outcome::failed ? ", " + failed_words(what.error) : "");
            one.outcome.append(", ").append(bytes_words(what.bytes));
        }
    } else if (what.result == outcome::incomplete) {
        one.outcome = "not yet: " + error_words(what.error);
    } else if (what.operation == 0) {
        one.outcome.append(", already back");
    }
    if (const auto accept = accepts_.find(what.operation);
        accept != accepts_.end() && one.back && !one.failed) {
        join(one.more, "client " + marked('s', accept->second));
    }
    print(to, one);
}

void narration::tell(std::string& to, const record& what) {
    now_ = what.nanoseconds;
    if (what.kind == record_kind::submit) {
        if (what.accept_socket != 0) {
            accepts_[what.operation] = what.accept_socket;
        }
        calls_[what.operation] = what;
        return;
    }
    if (what.kind == record_kind::returned) {
        tell_return(to, what);
    } else if (is_wanted(what)) {
        tell_early(to, what.operation);
        line one = about(what);
        switch (what.kind) {
        case record_kind::start:
            introduce(to, what);
            break;
        case record_kind::thread:
            one.what = "thread";
            one.outcome = "first call, system's id " + std::to_string(what.os_thread);
            print(to, one);
            break;
        case record_kind::thread_end:
            one.what = "thread";
            one.outcome = "ends";
            print(to, one);
            break;
        case record_kind::socket:
            one.outcome = what.family == file_handle   ? "new file"
                          : what.family == pipe_handle ? "new pipe"
                                                       : "new socket";
            join(one.outcome, family_words(what.family));
            print(to, one);
            break;
        case record_kind::close:
            one.outcome = what.bytes == 0
                              ? "closed"
                              : "closed with " + bytes_words(what.bytes) + " unread";
            print(to, one);
            break;
        case record_kind::port:
            one.what = "new port";
            one.outcome = marked('p', what.port);
            print(to, one);
            break;
        case record_kind::close_port:
            one.what = "close port";
            one.outcome = marked('p', what.port);
            print(to, one);
            break;
        case record_kind::associate:
            one.what = "associate";
            one.outcome =
                "packets go to " + marked('p', what.port) + ", " + key_words(what.key);
            print(to, one);
            break;
        case record_kind::skip_mode:
            one.what = "skip mode";
            one.outcome = "on: no packet for what is done at once";
            print(to, one);
            break;
        case record_kind::call:
            one.outcome = one.failed             ? failed_words(what.error)
                          : transfers(what.call) ? bytes_words(what.bytes)
                                                 : "ok";
            if (what.nanoseconds >= what.began + 1'000'000) {
                one.more = "took " + seconds(what.nanoseconds - what.began) + " s";
            }
            print(to, one);
            break;
        case record_kind::packet:
        case record_kind::result:
        case record_kind::routine:
            tell_end(to, what);
            break;
        case record_kind::wait_failed:
            one.what = "wait";
            one.outcome = (what.error == WAIT_TIMEOUT ? "no packet came: " : "failed ") +
                          error_words(what.error);
            one.failed = what.error != WAIT_TIMEOUT;
            one.more = marked('p', what.port);
            print(to, one);
            break;
        case record_kind::post:
            one.what = "post";
            one.outcome = bytes_words(what.bytes);
            one.more = marked('p', what.port) + ", " + key_words(what.key);
            print(to, one);
            break;
        case record_kind::cancel:
            one.outcome = one.failed   ? failed_words(what.error)
                          : what.asked ? own_words(*what.asked, one.thread, one.socket)
                          : what.operation == 0 ? "all of " + one.socket + " asked to end"
                          : what.lent           ? "asked to end, still lent"
                                                : "asked to end, and ended meanwhile";
            print(to, one);
            break;
        case record_kind::event_object:
            one.what = "new event";
            one.outcome = marked('e', what.object);
            print(to, one);
            break;
        case record_kind::close_event:
            one.what = "close event";
            one.outcome = marked('e', what.object);
            print(to, one);
            break;
        case record_kind::submit:
        case record_kind::returned:
        case record_kind::end:
            break;
        }
    }
    if (what.back) {
        calls_.erase(what.operation);
        accepts_.erase(what.operation);
    }
}

void narration::tell_call_of(std::string& to, std::uint32_t thread) {
    const auto found =
        std::find_if(calls_.begin(), calls_.end(),
                     [thread](const auto& call) { return call.second.thread == thread; });
    if (found != calls_.end()) {
        tell_early(to, found->first);
    }
}

void narration::tell_rest(std::string& to) {
    while (!calls_.empty()) {
        tell_early(to, calls_.begin()->first);
    }
}

} // namespace iocp::watch
