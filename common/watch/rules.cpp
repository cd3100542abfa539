#include "common/watch/rules.hpp"

#include "common/watch/guarded_read.hpp"
#include "common/watch/stack.hpp"
#include "common/watch/words.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

namespace iocp::watch {

namespace {

constexpr std::size_t looked_at_most =
    64; // operations in flight, whose memory is read before a wait

constexpr std::size_t findings_at_most =
    200; // of different places: whoever has more has enough to read

std::string hex(std::uintptr_t value) {
    std::array<char, 2 * sizeof(value)> digits{};
    const auto end =
        std::to_chars(digits.data(), digits.data() + digits.size(), value, 16).ptr;
    return "0x" + std::string(digits.data(), end);
}

std::string hex(const void* address) {
    return hex(reinterpret_cast<std::uintptr_t>(address));
}

std::string name_of_socket(std::uint32_t number) {
    return "s" + std::to_string(number);
}

// Such as "operation #7 (WSARecv on s3)".
std::string name_of(const operation& one) {
    return "operation #" + std::to_string(one.number) + " (" + one.call + " on " +
           name_of_socket(one.socket) + ")";
}

bool touch(const lent_memory& one, std::uintptr_t begin, std::uintptr_t end) {
    return one.address < end && begin < one.address + one.bytes;
}

std::string_view words_for(const lent_memory& memory) {
    return memory.overlapped ? "the OVERLAPPED" : memory.part ? memory.part : "a buffer";
}

std::string_view part_of(const operation& one, std::uintptr_t begin, std::uintptr_t end) {
    for (const lent_memory& memory : one.memory) {
        if (touch(memory, begin, end)) {
            return words_for(memory);
        }
    }
    return "memory";
}

// What tells of an end, where until then the memory is lent whatever else the program
// knows; null where there is nothing of that kind.
const char* how_told(told_by told) {
    switch (told) {
    case told_by::port:
        return "packet is dequeued";
    case told_by::routine:
        return "routine is entered";
    case told_by::pool:
        return "callback is entered";
    case told_by::event:
    case told_by::nothing:
        break;
    }
    return nullptr;
}

// Where two operations meet although the system writes there. OVERLAPPED against OVERLAPPED
// is another rule's, when it is the same one.
const lent_memory* meeting_place(const operation& a, const operation& b) {
    for (const lent_memory& one : a.memory) {
        for (const lent_memory& other : b.memory) {
            if ((one.written || other.written) &&
                touch(one, other.address, other.address + other.bytes) &&
                !(one.overlapped && other.overlapped && a.overlapped == b.overlapped)) {
                return &one;
            }
        }
    }
    return nullptr;
}

} // namespace

void rules::report(finding found) {
    // One report for each place in the program: a loop that is wrong is wrong in every
    // turn.
    const call_stack& place = found.here[0] != nullptr ? found.here : found.submitted;
    if (!lost_ && known_.size() < findings_at_most &&
        known_.emplace(found.what, place).second) {
        if (found.what->sure == certainty::exact) {
            urgent_ = true;
        }
        told_.take(found);
    }
}

void rules::lost_sight() {
    lost_ = true;
    told_.lost_sight();
}

void rules::say(const check& what, const moment& at, const operation* one,
                std::uint32_t socket, std::string text) {
    report({.what = &what,
            .nanoseconds = at.nanoseconds,
            .thread = at.thread,
            .number = at.number,
            .text = std::move(text),
            .operation = one == nullptr ? 0 : one->number,
            .socket = socket,
            .here = capture_stack(),
            .submitted = one == nullptr ? call_stack{} : one->submitted});
}

// [say_in_flight]
// Of an operation that is in flight, as far as its calls show. When the system says so too,
// that is proof. Where it has ended, the program may know: an OVERLAPPED can be asked
// without any call. It is proved by the packet, or the routine, that brings the program
// what is no longer its own: then this is said. When none comes, nothing was wrong.
void rules::say_in_flight(const check& what, const moment& at, const operation& one,
                          std::uint32_t socket, std::string text) {
    if (one.pending) {
        say(what, at, &one, socket, std::move(text));
    } else if (!one.gone && unproved_.size() < findings_at_most &&
               how_told(one.told) != nullptr) {
        text += std::string("; its ") + how_told(one.told) + " only now";
        unproved_.emplace(one.number, finding{.what = &what,
                                              .thread = at.thread,
                                              .text = std::move(text),
                                              .operation = one.number,
                                              .socket = socket,
                                              .here = capture_stack(),
                                              .submitted = one.submitted});
    }
}
// [/say_in_flight]

void rules::say_left(const check& what, const moment& at, std::uint32_t socket,
                     const call_stack& made, std::string text) {
    report({.what = &what,
            .nanoseconds = at.nanoseconds,
            .thread = at.thread,
            .number = at.number,
            .text = std::move(text),
            .socket = socket,
            .submitted = made});
}

void rules::happened(const record& what) {
    told_.take(what);
}

// [submitting]
void rules::submitting(const world& before, const operation& next, const moment& at) {
    const std::string what = std::string(next.call) + " on " + name_of_socket(next.socket);
    if (const operation* const other = before.with(next.overlapped)) {
        say_in_flight(checks::overlapped_reused, at, *other, next.socket,
                      what + " takes the OVERLAPPED at " + hex(next.overlapped) +
                          ", which " + name_of(*other) + " still has");
    }
    for (const lent_memory& memory : next.memory) {
        for (const operation* const other :
             before.touching(memory.address, memory.address + memory.bytes)) {
            if (const lent_memory* const place = meeting_place(next, *other)) {
                say_in_flight(checks::memory_overlap, at, *other, next.socket,
                              what + " lends memory at " + hex(place->address) +
                                  " that is lent to " + name_of(*other) +
                                  " already, and the system writes there");
            }
        }
    }
    if (next.family == AF_INET || next.family == AF_INET6) {
        const std::size_t address =
            next.family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
        const std::size_t least = address + 16; // Microsoft's page on AcceptEx
        // No room at all for the local one leaves it out, by Wine's test_AcceptEx.
        const bool local_fits =
            next.local_address_bytes == 0 || next.local_address_bytes >= least;
        if (!local_fits || next.remote_address_bytes < least) {
            say(checks::acceptex_short_address, at, nullptr, next.socket,
                what + " has room for addresses of " +
                    std::to_string(next.local_address_bytes) + " and " +
                    std::to_string(next.remote_address_bytes) +
                    " bytes; this family takes " + std::to_string(least) + " each");
        }
    }
    if (before.is_unannounced(next)) {
        say(checks::start_missing, at, nullptr, next.socket,
            what + " was not announced by StartThreadpoolIo: the thread pool will ignore "
                   "its end");
    }
    look_at_frames(before, at);
}
// [/submitting]

void rules::pending(const operation& one, const moment& at) {
    if (one.told == told_by::nothing && one.socket_seen) {
        say(checks::no_notification, at, nullptr, one.socket,
            name_of(one) + " is pending, and there is no port, no event and no routine to "
                           "tell of its end");
    }
}

// A thread may still be in the call that has submitted an operation, when another one knows
// from its event that the operation is over. The packet, the callback and the question for
// the result are seen; the event may have been waited for in any way. What the system has
// written tells.
bool rules::may_have_ended(const world& before, const inside& other) {
    const auto found = before.operations.find(other.operation);
    if (found == before.operations.end() || found->second.gone ||
        (found->second.told != told_by::event && found->second.told != told_by::nothing)) {
        return false;
    }
    const operation& one = found->second;
    const auto now = guarded_read(one.overlapped);
    return now && now->Internal != still_pending &&
           (now->Internal != one.status_before || now->InternalHigh != one.moved_before);
}

void rules::entering(const world& before, const socket_info& socket, const inside& call,
                     const moment& at) {
    const std::string_view name = call.call;
    const bool sends = name == "WSASend";
    // Of a stream: each datagram is whole, and which comes first was never certain.
    if (socket.type == SOCK_STREAM && (sends || name == "WSARecv")) {
        for (const inside& other : socket.threads) {
            if (other.thread != call.thread && name == other.call &&
                !may_have_ended(before, other)) {
                say(sends ? checks::concurrent_send : checks::concurrent_receive, at,
                    nullptr, socket.number,
                    "two threads are inside " + std::string(name) + " on " +
                        name_of_socket(socket.number) + " at once: t" +
                        std::to_string(other.thread) + " and t" +
                        std::to_string(call.thread));
                break;
            }
        }
    }
    if (socket.needs_context != nullptr &&
        (name == "shutdown" || name == "getpeername" || name == "getsockname")) {
        const std::string_view option = socket.needs_context;
        const bool accepted = option == "SO_UPDATE_ACCEPT_CONTEXT";
        say(accepted ? checks::accept_context_missing : checks::connect_context_missing, at,
            nullptr, socket.number,
            std::string(name) + " on " + name_of_socket(socket.number) + ", which " +
                (accepted ? "AcceptEx has accepted: " : "ConnectEx has connected: ") +
                std::string(option) + " was not set before");
    }
    look_at_frames(before, at);
}

void rules::calling(const world& before, const moment& at) {
    look_at_frames(before, at);
}

void rules::closing(const world& before, const socket_info& socket, std::uint32_t unread,
                    const moment& at) {
    for (const inside& other : socket.threads) {
        if (socket.is_socket() && other.thread != at.thread &&
            !may_have_ended(before, other)) {
            say(checks::close_during_call, at, nullptr, socket.number,
                name_of_socket(socket.number) + " is closed by t" +
                    std::to_string(at.thread) + " while t" + std::to_string(other.thread) +
                    " is inside " + other.call + " on it");
            break;
        }
    }
    // After a failure or a cancel, and with a send in flight, the program knows that not
    // all of it arrives.
    // The packet of what was cancelled may be taken, and its socket closed, before
    // CancelIoEx has returned to the thread that called it.
    const bool may_lose = unread > 0 && socket.type == SOCK_STREAM && socket.has_sent &&
                          !socket.failed && socket.cancels == 0 && !socket.resets;
    if (may_lose && !before.sends_on(socket.number)) {
        say(checks::closed_with_unread_input, at, nullptr, socket.number,
            name_of_socket(socket.number) + " is closed with " + bytes_words(unread) +
                " unread: that resets the connection, and what was sent and is still on "
                "its way may be lost");
    }
    look_at_frames(before, at);
}

void rules::waiting(const world& before, std::span<const HANDLE> events, const moment& at) {
    look_at_frames(before, at);
    if (before.operations.size() > looked_at_most) {
        return;
    }
    bool awaited = false;
    for (const auto& [number, one] : before.operations) {
        if (std::find(events.begin(), events.end(), event_of(one)) != events.end()) {
            awaited = true;
            look_at_event(one, false, at);
        }
    }
    // A wait for something else, or for an event that was put into an OVERLAPPED too late.
    for (const auto& [number, one] : before.operations) {
        if (awaited) {
            break;
        }
        const auto now = one.gone ? std::nullopt : guarded_read(&one.overlapped->hEvent);
        if (now && std::find(events.begin(), events.end(), *now) != events.end()) {
            look_at_event(one, false, at);
        }
    }
}

// What the system took at the submit it sets, whatever stands there now. A completion
// routine may use hEvent as it likes, and so may a program that has asked the OVERLAPPED
// and knows that the operation has ended.
// \param told the program is being told of the end just now
// \return false where the OVERLAPPED is not there any more
bool rules::look_at_event(const operation& one, bool told, const moment& at) {
    if (one.gone) {
        return true;
    }
    const auto now = guarded_read(&one.overlapped->hEvent);
    if (now && *now != one.event && one.told != told_by::routine &&
        (told || one.told == told_by::port || one.told == told_by::pool ||
         is_pending(one)) &&
        events_changed_.insert(one.number).second) {
        say(checks::event_changed, at, &one, one.socket,
            "OVERLAPPED.hEvent was changed while " + name_of(one) +
                " had it: " + hex(one.event) + " became " + hex(*now) +
                ", which the system does not set");
    }
    return now.has_value();
}

void rules::asking(const operation& one, const socket_info* asked, bool wait,
                   const moment& at) {
    look_at_event(one, false, at);
    if (asked == nullptr || asked->number != one.socket) {
        say(checks::result_wrong_socket, at, &one, one.socket,
            "the result of " + name_of(one) + " is asked of " +
                (asked == nullptr ? "a socket that is not open"
                                  : name_of_socket(asked->number)));
    }
    if (wait && one.event == nullptr &&
        (one.told == told_by::port || one.told == told_by::pool)) {
        say(checks::result_wait_on_port, at, &one, one.socket,
            "the result of " + name_of(one) +
                " is waited for without an event, but its end goes to the " +
                (one.told == told_by::port ? "port" : "thread pool"));
    }
}

void rules::coming_back(const world& before, const operation& one, bool told,
                        const moment& at) {
    const auto [first, last] = unproved_.equal_range(one.number);
    for (auto found = first; told && found != last; ++found) {
        found->second.nanoseconds = at.nanoseconds;
        found->second.number = at.number;
        report(std::move(found->second));
    }
    unproved_.erase(first, last);
    if (!told) {
        return;
    }
    const socket_info* const now = before.socket(one.handle);
    if (one.told == told_by::port && now != nullptr && now->number != one.socket &&
        one.key == static_cast<std::uint64_t>(one.handle)) {
        say(checks::packet_of_closed_socket, at, &one, now->number,
            "a packet of " + name_of(one) + ", which is closed, has the handle " +
                std::to_string(static_cast<std::uint64_t>(one.handle)) +
                " as its key: that is " + name_of_socket(now->number) + " now");
    }
    if (one.gone) {
        return;
    }
    // Until its packet or its routine an operation has lent its memory, which cannot have
    // gone.
    if (!look_at_event(one, true, at) && how_told(one.told) != nullptr) {
        say(checks::freed_while_lent, at, &one, one.socket,
            "the memory at " + hex(one.overlapped) + ", with the OVERLAPPED of " +
                name_of(one) + ", is gone before its " + how_told(one.told));
        return;
    }
    if (hash_sends_ && hash_of(one.memory) != one.sent_hash) {
        say(checks::send_buffer_changed, at, &one, one.socket,
            "the buffer that " + name_of(one) +
                " had lent to be sent was changed meanwhile");
    }
}

void rules::strange_packet(std::uint32_t port, std::uintptr_t overlapped,
                           const moment& at) {
    say(checks::packet_from_elsewhere, at, nullptr, 0,
        "a packet with OVERLAPPED " + hex(overlapped) + " from p" + std::to_string(port) +
            ", which no watched call has submitted or posted");
}

void rules::freeing(std::span<const operation* const> lent, const char* call,
                    std::uintptr_t begin, std::uintptr_t end, const moment& at) {
    for (const operation* const one : lent) {
        say_in_flight(checks::freed_while_lent, at, *one, one->socket,
                      std::string(call) + " frees " + std::to_string(end - begin) +
                          " bytes at " + hex(begin) + ", with " +
                          std::string(part_of(*one, begin, end)) + " of " + name_of(*one) +
                          " in them");
    }
}

void rules::vanished(const operation& one, const lent_memory& memory, const char* call,
                     const moment& at) {
    say_in_flight(checks::freed_while_lent, at, one, one.socket,
                  std::string(call) + " frees the memory at " + hex(memory.address) +
                      ", with " + std::string(words_for(memory)) + " of " + name_of(one) +
                      " in it");
}

void rules::thread_ending(const world& before, const thread_info& thread,
                          const moment& at) {
    for (const auto& [number, one] : before.operations) {
        if (one.thread == thread.number && one.pending && one.socket_seen &&
            (one.told == told_by::event || one.told == told_by::routine)) {
            say(checks::thread_ended_with_io, at, &one, one.socket,
                "t" + std::to_string(thread.number) + " ends with " + name_of(one) +
                    " in flight, which it has submitted: Windows cancels it");
        }
        if (one.thread == thread.number && one.pending && one.socket_seen &&
            one.told == told_by::port && one.event != nullptr) {
            say(checks::thread_ended_with_event, at, &one, one.socket,
                "t" + std::to_string(thread.number) + " ends with " + name_of(one) +
                    " in flight, which it has submitted with an event besides the port: "
                    "Windows may cancel it");
        }
    }
    for (const operation* const one :
         before.touching(thread.stack_low, thread.stack_high)) {
        say_in_flight(checks::stack_of_ended_thread, at, *one, one->socket,
                      "t" + std::to_string(thread.number) + " ends, and " +
                          std::string(part_of(*one, thread.stack_low, thread.stack_high)) +
                          " of " + name_of(*one) + " lies on its stack");
    }
}

void rules::closing_port(const port_info& port, const moment& at) {
    constexpr std::uint32_t many = 1000; // a few that nobody needs any more are no harm
    if (port.posted >= many) {
        piling_up(port, at);
    }
    if (port.waiting > 0) {
        say(checks::port_closed_with_waiters, at, nullptr, 0,
            "p" + std::to_string(port.number) + " is closed while " +
                std::to_string(port.waiting) +
                (port.waiting == 1 ? " thread waits on it" : " threads wait on it"));
    }
}

void rules::deaf(const socket_info& socket, const moment& at) {
    say(checks::listener_deaf, at, nullptr, socket.number,
        name_of_socket(socket.number) +
            " listens and has had no accept in flight since the last one failed: nobody "
            "is accepted any more");
}

void rules::piling_up(const port_info& port, const moment& at) {
    say(checks::packets_pile_up, at, nullptr, 0,
        std::to_string(port.posted) + " packets are posted to p" +
            std::to_string(port.number) + " that nobody has dequeued");
}

void rules::inheriting(const socket_info& socket, std::size_t others, const char* call,
                       const moment& at) {
    say(checks::socket_inherited, at, nullptr, socket.number,
        std::string(call) + " starts a process that inherits " +
            name_of_socket(socket.number) +
            (others == 0 ? "" : " and " + std::to_string(others) + " more sockets") +
            ": closing here does not end the connection while it lives");
}

void rules::cancelled_nothing(const socket_info& socket, const operation& other,
                              const moment& at) {
    say(checks::cancel_of_nothing, at, &other, socket.number,
        "CancelIo asks what t" + std::to_string(at.thread) + " has submitted on " +
            name_of_socket(socket.number) + " to end, which is nothing; " + name_of(other) +
            " is t" + std::to_string(other.thread) + "'s");
}

void rules::left_announced(const pool_io& io, const char* call, const uncancelled* submit,
                           const moment& at) {
    report({.what = &checks::cancel_missing,
            .nanoseconds = at.nanoseconds,
            .thread = at.thread,
            .number = at.number,
            .text = std::string(call) + " for " + name_of_socket(io.socket) +
                    ": StartThreadpoolIo has announced an operation that no callback " +
                    (submit == nullptr ? "is to come for"
                                       : "will come for, and CancelThreadpoolIo was not "
                                         "called"),
            .socket = io.socket,
            .here = capture_stack(),
            .submitted = submit == nullptr ? call_stack{} : submit->submitted});
}

void rules::losing_sight(const socket_info& socket, const char* call, const moment& at) {
    say(checks::untracked, at, nullptr, socket.number,
        name_of_socket(socket.number) + " is handed to " + call +
            ": its packets are dequeued inside the system, and its operations are not "
            "followed");
}

void rules::ending(const world& before, const moment& at) {
    for (const auto& [handle, socket] : before.sockets) {
        if (socket.is_socket()) {
            say_left(checks::socket_left, at, socket.number, socket.made,
                     name_of_socket(socket.number) + " is open at the end of the program");
        }
    }
    for (const auto& [handle, event] : before.events) {
        say_left(checks::event_left, at, 0, event.made,
                 "event e" + std::to_string(event.number) +
                     " is open at the end of the program");
    }
    for (const auto& [number, one] : before.operations) {
        // What has gone was named before. That a packet is still to come is known only
        // where the whole life of the socket is.
        const bool to_come = one.told == told_by::pool ||
                             (one.told == told_by::port && before.is_open(one.port));
        if (!one.gone && (one.pending || (to_come && one.socket_seen))) {
            say_left(checks::operation_left, at, one.socket, one.submitted,
                     name_of(one) + " is in flight at the end of the program");
        }
    }
}

// The stack grows downwards: what is below this function's own frame belongs to nobody any
// more.
void rules::look_at_frames(const world& before, const moment& at) {
    const auto thread = before.threads.find(::GetCurrentThreadId());
    if (thread == before.threads.end()) {
        return;
    }
    const char marker = 0;
    const auto here = reinterpret_cast<std::uintptr_t>(&marker);
    if (here < thread->second.stack_low ||
        here >= thread->second.stack_high) { // a fiber, on another stack
        return;
    }
    for (const operation* const one :
         before.touching(thread->second.stack_low, thread->second.stack_high)) {
        const frame_mark& frame = one->frame;
        if (one->thread != at.thread || frame.place == nullptr) {
            continue;
        }
        const auto end = reinterpret_cast<std::uintptr_t>(frame.place);
        const bool gone = end < here || *frame.place != frame.address;
        const bool in_flight = how_told(one->told) != nullptr || is_pending(*one);
        if (gone && in_flight && frames_gone_.insert(one->number).second) {
            say(checks::stack_frame_gone, at, one, one->socket,
                std::string(part_of(*one, thread->second.stack_low, end)) + " of " +
                    name_of(*one) +
                    " lies in the stack frame of a function that has returned");
        }
    }
}

void rules::unlocked(bool may_wait) {
    told_.settle(urgent_.exchange(false), may_wait);
}

} // namespace iocp::watch
