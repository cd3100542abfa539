#include "common/watch/trace.hpp"

#include "common/watch/error_names.hpp"
#include "common/watch/json.hpp"
#include "common/watch/report.hpp"

#include <winsock2.h>

#include <windows.h>

#include <algorithm>
#include <iterator>

namespace iocp::watch {
namespace {

const char* outcome_name(outcome result) {
    switch (result) {
    case outcome::ok:
        return "ok";
    case outcome::immediate:
        return "immediate";
    case outcome::pending:
        return "pending";
    case outcome::failed:
        return "failed";
    case outcome::incomplete:
        return "incomplete";
    case outcome::none:
        break;
    }
    return "none";
}

const char* mode_name(told_by told) {
    switch (told) {
    case told_by::port:
        return "port";
    case told_by::event:
        return "event";
    case told_by::routine:
        return "routine";
    case told_by::pool:
        return "pool";
    case told_by::nothing:
        break;
    }
    return "none";
}

const char* family_name(int family) {
    return family == AF_INET       ? "inet"
           : family == AF_INET6    ? "inet6"
           : family == file_handle ? "file"
           : family == pipe_handle ? "pipe"
                                   : "other";
}

void add_error(json_object& line, std::uint32_t code) {
    line.number("error", code);
    if (const char* const name = error_name(code)) {
        line.text("error_name", name);
    }
}

// How a call or an operation ended; bytes where they were moved.
void add_outcome(json_object& line, const record& what, bool with_bytes) {
    line.text("outcome", outcome_name(what.result));
    if (with_bytes) {
        line.number("bytes", what.bytes);
    }
    if (what.result == outcome::failed || what.result == outcome::incomplete) {
        add_error(line, what.error);
    }
}

void add_socket(json_object& line, const record& what) {
    if (what.socket != 0) {
        line.number("socket", what.socket);
    }
}

void add_memory(json_object& line, const std::vector<lent_memory>& memory) {
    std::string& to = line.member("memory");
    to += '[';
    for (const lent_memory& one : memory) {
        if (&one != &memory.front()) {
            to += ',';
        }
        json_object{to}
            .text("what", one.overlapped ? "OVERLAPPED" : "buffer")
            .address("address", one.address)
            .number("bytes", one.bytes)
            .boolean("written", one.written);
    }
    to += ']';
}

void add_frames(json_object& line, const char* name, const std::vector<frame>& frames) {
    std::string& to = line.member(name);
    to += '[';
    for (const frame& one : frames) {
        if (&one != &frames.front()) {
            to += ',';
        }
        json_object shown{to};
        if (one.file.empty()) {
            if (!one.function.empty()) {
                shown.text("function", one.function);
            }
            shown.text("module", one.module).number("offset", one.offset);
        } else {
            shown.text("function", one.function)
                .text("file", one.file)
                .number("line", one.line);
        }
    }
    to += ']';
}

// What each kind of event has, apart from what every line has.
void add_fields(json_object& line, const record& what) {
    switch (what.kind) {
    case record_kind::start:
        line.number("version", trace_version).text("program", base_name(what.text));
        break;
    case record_kind::thread:
        line.number("os_id", what.os_thread);
        break;
    case record_kind::socket:
        line.number("socket", what.socket)
            .text("call", what.call)
            .text("family", family_name(what.family));
        break;
    case record_kind::close:
        line.number("socket", what.socket).text("call", what.call);
        break;
    case record_kind::port:
    case record_kind::close_port:
        line.number("port", what.port);
        break;
    case record_kind::associate:
        line.number("socket", what.socket)
            .number("port", what.port)
            .number("key", what.key);
        break;
    case record_kind::skip_mode:
        line.number("socket", what.socket);
        break;
    case record_kind::call:
        line.text("call", what.call);
        add_socket(line, what);
        line.number("began_us", what.began / 1000);
        add_outcome(line, what, what.result == outcome::ok && transfers(what.call));
        break;
    case record_kind::submit:
        line.number("operation", what.operation)
            .text("call", what.call)
            .number("socket", what.socket);
        if (what.accept_socket != 0) {
            line.number("accept_socket", what.accept_socket);
        }
        line.text("mode", mode_name(what.told)).address("overlapped", what.overlapped);
        add_memory(line, what.memory);
        break;
    case record_kind::returned:
        line.number("operation", what.operation)
            .text("call", what.call)
            .number("socket", what.socket);
        // Where the memory is not back the program may not have asked for the number, and 0
        // means nothing.
        add_outcome(line, what,
                    what.result == outcome::immediate && (what.back || what.bytes != 0));
        line.boolean("back", what.back);
        break;
    case record_kind::packet:
        line.number("port", what.port).number("key", what.key);
        add_outcome(line, what, true);
        if (what.operation != 0) {
            line.number("operation", what.operation);
        }
        add_socket(line, what);
        line.boolean("posted", what.posted);
        break;
    case record_kind::result:
        if (what.operation != 0) {
            line.number("operation", what.operation);
        }
        add_socket(line, what);
        add_outcome(line, what, what.result == outcome::ok);
        line.boolean("back", what.back);
        break;
    case record_kind::routine:
        line.number("operation", what.operation)
            .number("socket", what.socket)
            .number("bytes", what.bytes);
        add_error(line, what.error);
        break;
    case record_kind::wait_failed:
        line.number("port", what.port);
        add_error(line, what.error);
        break;
    case record_kind::post:
        line.number("port", what.port)
            .number("key", what.key)
            .number("bytes", what.bytes)
            .address("overlapped", what.overlapped);
        break;
    case record_kind::cancel:
        add_socket(line, what);
        if (what.operation != 0) {
            line.number("operation", what.operation);
        }
        add_outcome(line, what, false);
        break;
    case record_kind::event_object:
    case record_kind::close_event:
        line.number("object", what.object);
        break;
    case record_kind::thread_end:
    case record_kind::end:
        break;
    }
}

} // namespace

const char* event_name(record_kind kind) {
    constexpr const char* names[] = {
        "start",        "thread",      "thread_end", "socket",      "close",  "port",
        "close_port",   "associate",   "skip_mode",  "call",        "submit", "return",
        "packet",       "result",      "routine",    "wait_failed", "post",   "cancel",
        "event_object", "close_event", "end"};
    static_assert(std::size(names) == static_cast<std::size_t>(record_kind::end) + 1);
    return names[static_cast<std::size_t>(kind)];
}

std::string_view base_name(std::string_view path) {
    const std::size_t slash = path.find_last_of("\\/");
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

bool transfers(std::string_view call) {
    constexpr std::string_view prefixes[] = {"recv", "send", "WSARecv", "WSASend"};
    return std::any_of(
        std::begin(prefixes), std::end(prefixes),
        [call](std::string_view prefix) { return call.starts_with(prefix); });
}

void trace::add(std::string& to, const record& what) {
    {
        json_object line{to};
        line.number("n", ++lines_)
            .number("us", what.nanoseconds / 1000)
            .number("thread", what.thread)
            .text("event", event_name(what.kind));
        add_fields(line, what);
    }
    to += '\n';
}

void trace::add(std::string& to, const finding& found, const std::vector<frame>& here,
                const std::vector<frame>& submitted) {
    {
        json_object line{to};
        line.number("n", ++lines_)
            .number("us", found.nanoseconds / 1000)
            .number("thread", found.thread)
            .text("event", "finding")
            .text("check", found.what->id)
            .text("level", words(found.what->sure))
            .text("text", found.text);
        if (found.operation != 0) {
            line.number("operation", found.operation);
        }
        if (found.socket != 0) {
            line.number("socket", found.socket);
        }
        add_frames(line, "here", here);
        add_frames(line, "submitted", submitted);
    }
    to += '\n';
}

void trace::end(std::string& to, const record& end, std::uint32_t exact,
                std::uint32_t heuristic) {
    {
        json_object line{to};
        line.number("n", ++lines_)
            .number("us", end.nanoseconds / 1000)
            .number("thread", end.thread)
            .text("event", event_name(record_kind::end))
            .number("exact", exact)
            .number("heuristic", heuristic)
            .number("dequeues", end.dequeues);
    }
    to += '\n';
}

} // namespace iocp::watch
