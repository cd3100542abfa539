#include "common/watch/chrome_trace.hpp"

#include "common/watch/error_names.hpp"
#include "common/watch/json.hpp"
#include "common/watch/report.hpp"
#include "common/watch/trace.hpp"

#include <algorithm>
#include <string_view>

namespace iocp::watch {
namespace {

constexpr std::uint64_t process = 1; // the format wants one; a trace is of one process

// One event of the list, with the comma before it.
class event {
public:
    event(std::string& to, bool& first, const char* phase, std::string_view name,
          std::uint32_t thread)
        : object_{separated(to, first)} {
        object_.text("ph", phase)
            .text("name", name)
            .number("pid", process)
            .number("tid", thread);
    }
    json_object* operator->() { return &object_; }

private:
    static std::string& separated(std::string& to, bool& first) {
        to.append(first ? "" : ",\n");
        first = false;
        return to;
    }

    json_object object_;
};

std::string with_number(std::string_view word, char mark, std::uint64_t number) {
    std::string text{word};
    return text.append(" ").append(1, mark).append(std::to_string(number));
}

std::string ending(const record& what) {
    return what.error == 0 ? "success" : error_words(what.error);
}

} // namespace

void chrome_trace::add_begin(std::string& to, const record& what) {
    open_operation& fresh = in_flight_[what.operation];
    fresh = {with_number(with_number(what.call, '#', what.operation), 's', what.socket),
             what.thread};
    event begin{to, first_, "b", fresh.name, fresh.thread};
    begin->text("cat", "operation")
        .number("id", what.operation)
        .microseconds("ts", what.nanoseconds);
    std::uint64_t bytes = 0;
    for (const lent_memory& one : what.memory) {
        bytes += one.bytes;
    }
    json_object{begin->member("args")}.number("lent bytes", bytes);
}

void chrome_trace::add_end(std::string& to, std::uint64_t number, std::uint64_t nanoseconds,
                           std::uint32_t thread, const char* how) {
    const auto found = in_flight_.find(number);
    if (found == in_flight_.end()) {
        return;
    }
    event end{to, first_, "e", found->second.name, thread};
    end->text("cat", "operation").number("id", number).microseconds("ts", nanoseconds);
    json_object{end->member("args")}.text("end", how);
    in_flight_.erase(found);
}

void chrome_trace::add(std::string& to, const record& what) {
    if (what.kind == record_kind::start) {
        event name{to, first_, "M", "process_name", what.thread};
        json_object{name->member("args")}.text("name", base_name(what.text));
    } else if (what.kind == record_kind::thread) {
        event name{to, first_, "M", "thread_name", what.thread};
        json_object{name->member("args")}.text("name", "t" + std::to_string(what.thread));
    } else if (what.kind == record_kind::submit) {
        add_begin(to, what);
    } else if (what.kind == record_kind::call) {
        event call{to, first_, "X",
                   what.socket == 0 ? what.call : with_number(what.call, 's', what.socket),
                   what.thread};
        call->text("cat", "call")
            .microseconds("ts", what.began)
            .microseconds("dur", what.nanoseconds - std::min(what.began, what.nanoseconds));
        json_object{call->member("args")}.text("end", ending(what));
    } else if (what.kind == record_kind::packet) {
        event packet{to, first_, "X",
                     what.operation == 0
                         ? what.posted ? "posted packet" : "packet from elsewhere"
                         : with_number("packet", '#', what.operation),
                     what.thread};
        // Dequeueing takes no time worth showing; one microsecond is a line that can be
        // clicked.
        packet->text("cat", "packet")
            .microseconds("ts", what.nanoseconds)
            .microseconds("dur", 1000);
        json_object{packet->member("args")}
            .text("end", ending(what))
            .number("bytes", what.bytes);
    } else if (what.kind == record_kind::post || what.kind == record_kind::cancel) {
        event mark{to, first_, "i", what.kind == record_kind::post ? "post" : "cancel",
                   what.thread};
        mark->text("cat", event_name(what.kind))
            .microseconds("ts", what.nanoseconds)
            .text("s", "t");
    }
    if (what.operation != 0 && what.back) {
        add_end(to, what.operation, what.nanoseconds, what.thread, ending(what).c_str());
    }
}

void chrome_trace::add(std::string& to, const finding& found) {
    event mark{to, first_, "i", found.what->id, found.thread};
    mark->text("cat", "finding").microseconds("ts", found.nanoseconds).text("s", "t");
    json_object{mark->member("args")}
        .text("level", words(found.what->sure))
        .text("text", found.text);
}

void chrome_trace::add_ends(std::string& to, std::uint64_t nanoseconds) {
    while (!in_flight_.empty()) {
        const auto& [number, one] = *in_flight_.begin();
        add_end(to, number, nanoseconds, one.thread,
                "still in flight when the program ended");
    }
}

} // namespace iocp::watch
