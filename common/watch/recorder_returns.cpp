// The recorder: the ways in which memory comes back.

#include "common/watch/recorder_lock.hpp"

#include <algorithm>
#include <utility>

namespace iocp::watch {

namespace {

// What OVERLAPPED.Internal holds until the operation has ended (STATUS_PENDING;
// HasOverlappedIoCompleted compares with it).
constexpr ULONG_PTR still_pending = 0x103;

} // namespace

void recorder::come_back(std::uint64_t number, record what) {
    const thread_info& thread = who();
    told_.coming_back(world_, world_.operations.at(number), at(thread));
    operation one = world_.take_back(number);
    with_event_ -= one.told == told_by::event ? 1 : 0;
    // The thread that submitted it may not have returned yet. But the system is done with
    // the call when it has queued the packet: whoever has the packet may close the socket,
    // or send again.
    if (socket_info* const socket = find(one.handle);
        socket != nullptr && socket->number == one.socket) {
        std::erase_if(socket->threads,
                      [&](const inside& call) { return call.operation == number; });
    }
    if (one.accept_handle != INVALID_SOCKET && what.result != outcome::failed) {
        if (socket_info* const accepted = find(one.accept_handle);
            accepted != nullptr && accepted->number == one.accept_socket) {
            accepted->needs_context = true;
        }
    }
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
                        std::uint32_t bytes, std::optional<std::uint32_t> error) {
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
    if (!error) {
        error = one == nullptr || one->gone ? 0 : code_of(overlapped->Internal);
    }
    what.result = *error == 0 ? outcome::ok : outcome::failed;
    what.error = *error;
    if (one != nullptr &&
        (posted == last || one->gone || overlapped->Internal != still_pending)) {
        come_back(one->number, std::move(what));
        return;
    }
    what.posted = posted != last;
    if (what.posted) {
        world_.posted.erase(posted);
    } else {
        told_.strange_packet(what.port, what.overlapped, at(thread));
    }
    emit(std::move(what));
}

void recorder::asks(SOCKET handle, OVERLAPPED* overlapped, bool wait) {
    const locked guard(*this);
    const thread_info& thread = who();
    told_.calling(world_, at(thread));
    if (const operation* const one = world_.with(overlapped)) {
        told_.asking(*one, world_.socket(handle), wait, at(thread));
    }
}

void recorder::answered(SOCKET handle, OVERLAPPED* overlapped, bool ok, std::uint32_t bytes,
                        std::uint32_t error) {
    const locked guard(*this);
    const std::uint32_t thread = who().number;
    const socket_info* const asked = world_.socket(handle);
    const operation* const one = world_.with(overlapped);
    record what{.kind = record_kind::result,
                .thread = thread,
                .call = "WSAGetOverlappedResult",
                .socket = asked == nullptr ? 0 : asked->number,
                .operation = one == nullptr ? 0 : one->number,
                .result = ok                           ? outcome::ok
                          : error == WSA_IO_INCOMPLETE ? outcome::incomplete
                                                       : outcome::failed,
                .error = ok ? 0 : error,
                .bytes = bytes};
    // A failure may be the operation's, or that of the question: then the operation is
    // still pending. One that is told of by a packet has lent its memory until the packet
    // is dequeued, whatever its result says.
    if (one == nullptr || what.result == outcome::incomplete ||
        (!one->gone && overlapped->Internal == still_pending) ||
        one->told == told_by::port || one->told == told_by::routine) {
        emit(std::move(what));
        return;
    }
    come_back(one->number, std::move(what));
}

void recorder::signalled(std::span<const HANDLE> events) {
    if (with_event_ == 0) { // most waits are for other things
        return;
    }
    const locked guard(*this);
    std::vector<const operation*> never_asked;
    for (auto& [number, one] : world_.operations) {
        // An event may be set although this operation has not ended: by another one, or by
        // the program.
        if (one.told == told_by::event && !one.gone &&
            one.overlapped->Internal != still_pending &&
            std::find(events.begin(), events.end(), one.event) != events.end()) {
            one.signalled = true;
            one.status = one.overlapped->Internal;
            one.moved = static_cast<std::uint32_t>(one.overlapped->InternalHigh);
            const socket_info* const socket = find(one.handle);
            if (socket == nullptr ||
                socket->number != one.socket) { // nobody is left to ask for the result
                never_asked.push_back(&one);
            }
        }
    }
    take_back_signalled(never_asked);
}

// What the program frees or uses again now it has taken back before. What was there then
// was kept: since then it may have written there, or left the function whose variable it
// was.
void recorder::take_back_signalled(const std::vector<const operation*>& operations) {
    for (const operation* const one : operations) {
        if (one->signalled && !one->gone) {
            const std::uint32_t error = code_of(one->status);
            world_.operations.at(one->number).gone = true;
            come_back(one->number, {.kind = record_kind::result,
                                    .result = error == 0 ? outcome::ok : outcome::failed,
                                    .error = error,
                                    .bytes = one->moved});
        }
    }
}

void recorder::take_back_all_signalled() {
    std::vector<const operation*> all;
    for (const auto& [number, one] : world_.operations) {
        all.push_back(&one);
    }
    take_back_signalled(all);
}

LPWSAOVERLAPPED_COMPLETION_ROUTINE recorder::entered_routine(OVERLAPPED* overlapped,
                                                             std::uint32_t bytes,
                                                             std::uint32_t error) {
    const locked guard(*this);
    const operation* const one = world_.with(overlapped);
    if (one == nullptr) {
        return nullptr;
    }
    const LPWSAOVERLAPPED_COMPLETION_ROUTINE routine = one->routine;
    come_back(one->number, {.kind = record_kind::routine,
                            .result = error == 0 ? outcome::ok : outcome::failed,
                            .error = error,
                            .bytes = bytes});
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
        come_back(number, {.kind = record_kind::result,
                           .result = outcome::failed,
                           .error = ERROR_OPERATION_ABORTED});
    }
}

} // namespace iocp::watch
