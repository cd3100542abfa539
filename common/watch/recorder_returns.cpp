// The recorder: the ways in which memory comes back.

#include "common/watch/guarded_read.hpp"
#include "common/watch/recorder_lock.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace iocp::watch {

namespace {

// What a question for a result fails with when the operation goes on.
bool is_not_yet(std::uint32_t error) {
    return error == WSA_IO_INCOMPLETE || error == WAIT_TIMEOUT ||
           error == WAIT_IO_COMPLETION;
}

} // namespace

void recorder::come_back(std::uint64_t number, record what) {
    const thread_info& thread = who();
    const bool told = !world_.operations.at(number).settled;
    told_.coming_back(world_, world_.operations.at(number), told, at(thread));
    operation one = world_.take_back(number);
    --in_flight_;
    with_event_ -= one.told == told_by::event || one.told == told_by::nothing ? 1 : 0;
    // The thread that submitted it may not have returned yet. But the system is done with
    // the call when it has queued the packet: whoever has the packet may close the socket,
    // or send again.
    if (socket_info* const socket = find(one.handle);
        socket != nullptr && socket->number == one.socket) {
        std::erase_if(socket->threads,
                      [&](const inside& call) { return call.operation == number; });
        socket->failed = socket->failed || what.result == outcome::failed;
    }
    const bool failed = what.result == outcome::failed;
    if (one.accept_handle != INVALID_SOCKET) {
        if (socket_info* const accepted = find(one.accept_handle);
            !failed && !one.has_context && accepted != nullptr &&
            accepted->number == one.accept_socket) {
            accepted->needs_context = "SO_UPDATE_ACCEPT_CONTEXT";
        }
        if (const socket_info* const listener = find(one.handle);
            listener != nullptr && listener->number == one.socket) {
            accept_ended(one.handle, failed);
        }
    }
    if (socket_info* const connected = find(one.handle);
        !failed && !one.has_context && connected != nullptr &&
        connected->number == one.socket && std::string_view(one.call) == "ConnectEx") {
        connected->needs_context = "SO_UPDATE_CONNECT_CONTEXT";
    }
    came_back_from_pool(one);
    what.thread = thread.number;
    what.call = one.call;
    what.socket = one.socket;
    what.operation = number;
    what.back = true;
    what.overlapped = reinterpret_cast<std::uintptr_t>(one.overlapped);
    what.memory = std::move(one.memory);
    emit(std::move(what));
}

void recorder::dequeued(HANDLE port, std::uint64_t key, OVERLAPPED* overlapped,
                        std::uint32_t bytes, std::optional<std::uint32_t> error) try {
    const locked guard(*this);
    const thread_info& thread = who();
    record what{.kind = record_kind::packet,
                .thread = thread.number,
                .port = find_or_add_port(port).number,
                .bytes = bytes,
                .key = key,
                .overlapped = reinterpret_cast<std::uintptr_t>(overlapped)};

    // A program may post a packet with the OVERLAPPED of an operation: then the one whose
    // operation has not ended is the posted one.
    const auto [first, last] = world_.posted.equal_range(overlapped);
    const auto posted = std::find_if(first, last, [&](const auto& one) {
        return one.second.key == key && one.second.bytes == bytes;
    });
    const operation* const one = overlapped == nullptr ? nullptr : world_.with(overlapped);
    const ULONG_PTR status =
        one == nullptr || one->gone ? 0 : guarded_read(&overlapped->Internal).value_or(0);
    if (!error) {
        error = code_of(status);
    }
    what.result = *error == 0 ? outcome::ok : outcome::failed;
    what.error = *error;
    if (one != nullptr && (posted == last || status != still_pending)) {
        come_back(one->number, std::move(what));
        return;
    }
    what.posted = posted != last;
    if (what.posted) {
        world_.posted.erase(posted);
        port_info& posted_to = find_or_add_port(port);
        posted_to.posted -= posted_to.posted > 0 ? 1 : 0;
    } else if (const auto late = world_.late_packets.find(overlapped);
               late != world_.late_packets.end()) {
        what.operation = late->second.operation;
        what.call = late->second.call;
        what.socket = late->second.socket;
        world_.late_packets.erase(late);
    } else {
        told_.strange_packet(what.port, what.overlapped, at(thread));
    }
    emit(std::move(what));
} catch (const std::exception&) {
    lost_sight();
}

void recorder::asks(SOCKET handle, OVERLAPPED* overlapped, bool wait) try {
    const locked guard(*this);
    const thread_info& thread = who();
    told_.calling(world_, at(thread));
    const operation* const one = world_.with(overlapped);
    if (one == nullptr) {
        return;
    }
    // A handle that the watch does not know may be another one of the same socket.
    const socket_info* const asked = world_.socket(handle);
    if (one->socket_seen && (asked == nullptr ? handle == one->handle : asked->seen)) {
        told_.asking(*one, asked, wait, at(thread));
    }
} catch (const std::exception&) {
    lost_sight();
}

void recorder::answered(SOCKET handle, OVERLAPPED* overlapped, bool ok, std::uint32_t bytes,
                        std::uint32_t error) try {
    const locked guard(*this);
    const std::uint32_t thread = who().number;
    const socket_info* const asked = world_.socket(handle);
    const operation* const one = world_.with(overlapped);
    record what{.kind = record_kind::result,
                .thread = thread,
                .call = "WSAGetOverlappedResult",
                .socket = asked == nullptr ? 0 : asked->number,
                .operation = one == nullptr ? 0 : one->number,
                .result = ok                  ? outcome::ok
                          : is_not_yet(error) ? outcome::incomplete
                                              : outcome::failed,
                .error = ok ? 0 : error,
                .bytes = bytes};
    // A failure may be the operation's, or that of the question: then the operation is
    // still pending. GetOverlappedResultEx has codes of its own for a wait that is over.
    // One that is told of by a packet has lent its memory until the packet is dequeued,
    // whatever its result says.
    if (one == nullptr || what.result == outcome::incomplete || is_pending(*one) ||
        is_told_later(*one)) {
        emit(std::move(what));
        return;
    }
    come_back(one->number, std::move(what));
} catch (const std::exception&) {
    lost_sight();
}

void recorder::waits_for(std::span<const HANDLE> events) try {
    if (in_flight_ == 0) { // most waits are for other things
        return;
    }
    const locked guard(*this);
    told_.waiting(world_, events, at(who()));
} catch (const std::exception&) {
    lost_sight();
}

void recorder::signalled(std::span<const HANDLE> events) try {
    if (with_event_ == 0) { // most waits are for other things
        return;
    }
    const locked guard(*this);
    std::vector<const operation*> never_asked;
    for (auto& [number, one] : world_.operations) {
        if (is_told_later(one) || one.gone || !one.returned ||
            std::find(events.begin(), events.end(), event_of(one)) == events.end()) {
            continue;
        }
        // An event may be set although this operation has not ended: by another one, or by
        // the program.
        const auto now = guarded_read(one.overlapped);
        if (now && now->Internal != still_pending) {
            one.signalled = true;
            one.status = now->Internal;
            one.moved = static_cast<std::uint32_t>(now->InternalHigh);
            const socket_info* const socket = find(one.handle);
            if (socket == nullptr ||
                socket->number != one.socket) { // nobody is left to ask for the result
                never_asked.push_back(&one);
            }
        }
    }
    settle(never_asked);
} catch (const std::exception&) {
    lost_sight();
}

// Whether the program is told of the end by something that the watch sees: the memory is
// lent until then. The packets of a port that is closed nobody can dequeue.
bool recorder::is_told_later(const operation& one) const {
    return one.told == told_by::routine || one.told == told_by::pool ||
           (one.told == told_by::port && world_.is_open(one.port));
}

// Asks the system which of these have ended. A program has many ways to learn of an end,
// and not all of them are calls: HasOverlappedIoCompleted looks at OVERLAPPED.Internal. So
// what has ended is back, unless its packet or its routine is still to come.
void recorder::settle(const std::vector<const operation*>& operations) {
    std::vector<std::uint64_t> numbers;
    for (const operation* const one : operations) {
        numbers.push_back(one->number);
    }
    for (const std::uint64_t number : numbers) {
        settle(number);
    }
}

void recorder::settle(std::uint64_t number) {
    const auto found = world_.operations.find(number);
    if (found == world_.operations.end() || found->second.gone) {
        return;
    }
    operation& one = found->second;
    if (!one.signalled) {
        const auto now = guarded_read(one.overlapped);
        // With a port Windows writes the end there when the packet is dequeued: never, when
        // the port is closed. The end of its socket is the end of the operation then.
        const bool no_packet = one.told == told_by::port && !is_told_later(one);
        const socket_info* const socket = find(one.handle);
        const bool ended =
            now && (now->Internal != still_pending ||
                    (no_packet && (socket == nullptr || socket->number != one.socket)));
        one.pending = now && !ended && !no_packet;
        // Before the call has returned the system may not have written there yet.
        if (!ended || !one.returned || is_told_later(one)) {
            return;
        }
        one.status = now->Internal;
        one.moved = static_cast<std::uint32_t>(now->InternalHigh);
    }
    // What was there when a wait was over was kept: since then the program may have written
    // there, or left the function whose variable it was.
    one.settled = true;
    if (one.told == told_by::port || (one.told == told_by::nothing && !one.socket_seen)) {
        world_.late_packets[one.overlapped] = {one.number, one.call, one.socket};
    }
    const std::uint32_t error =
        one.status == still_pending ? ERROR_OPERATION_ABORTED : code_of(one.status);
    come_back(number, {.kind = record_kind::result,
                       .result = error == 0 ? outcome::ok : outcome::failed,
                       .error = error,
                       .bytes = one.moved});
}

void recorder::settle_all() {
    std::vector<const operation*> all;
    for (const auto& [number, one] : world_.operations) {
        all.push_back(&one);
    }
    settle(all);
}

// The program's routine is called, whatever becomes of the record.
LPWSAOVERLAPPED_COMPLETION_ROUTINE recorder::entered_routine(OVERLAPPED* overlapped,
                                                             std::uint32_t bytes,
                                                             std::uint32_t error) {
    LPWSAOVERLAPPED_COMPLETION_ROUTINE routine = nullptr;
    try {
        const locked guard(*this);
        const operation* const one = world_.with(overlapped);
        if (one == nullptr) {
            return nullptr;
        }
        routine = one->routine;
        come_back(one->number, {.kind = record_kind::routine,
                                .result = error == 0 ? outcome::ok : outcome::failed,
                                .error = error,
                                .bytes = bytes});
    } catch (const std::exception&) {
        lost_sight();
    }
    return routine;
}

// A completion routine is called on the thread that has submitted the operation: without
// that thread it never is. Windows cancels the operation before the thread is gone.
void recorder::take_back_orphans(std::uint32_t thread) {
    std::vector<std::uint64_t> orphans;
    for (const auto& [number, one] : world_.operations) {
        if (one.thread == thread && one.told == told_by::routine) {
            orphans.push_back(number);
        }
    }
    for (const std::uint64_t number : orphans) {
        world_.operations.at(number).settled = true; // nobody is told of it
        come_back(number, {.kind = record_kind::result,
                           .result = outcome::failed,
                           .error = ERROR_OPERATION_ABORTED});
    }
}

} // namespace iocp::watch
