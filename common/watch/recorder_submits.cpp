// The recorder: operations go into flight, and their memory must stay.

#include "common/watch/recorder_lock.hpp"
#include "common/watch/stack.hpp"

#include <algorithm>
#include <utility>

namespace iocp::watch {

namespace {

bool low_bit(HANDLE event) {
    return (reinterpret_cast<std::uintptr_t>(event) & 1) != 0;
}

told_by how(const submission& next, HANDLE event, const socket_info& socket) {
    if (next.routine != nullptr) {
        return told_by::routine;
    }
    if (socket.pool != nullptr && !low_bit(event)) {
        return told_by::pool;
    }
    // The low bit of hEvent says: no packet for this one, although the socket has a port.
    if (socket.port != 0 && !low_bit(event)) {
        return told_by::port;
    }
    return event != nullptr ? told_by::event : told_by::nothing;
}

} // namespace

ticket recorder::submit(submission next) try {
    const locked guard(*this);
    const thread_info& thread = who();
    socket_info& socket = find_or_add(next.handle);
    ticket entered{.call = next.call,
                   .handle = next.handle,
                   .socket = socket.number,
                   .thread = thread.number,
                   .began = now()};
    if (socket.untracked) {
        return entered;
    }
    world_.late_packets.erase(next.overlapped);
    const auto address = reinterpret_cast<std::uintptr_t>(next.overlapped);
    settle(world_.touching(address, address + sizeof(OVERLAPPED)));
    for (const lent_memory& memory : next.buffers) {
        settle(world_.touching(memory.address, memory.address + memory.bytes));
    }
    const HANDLE event = next.overlapped->hEvent;
    operation one{.number = ++operations_,
                  .call = next.call,
                  .socket = socket.number,
                  .handle = next.handle,
                  .accept_handle = next.accept_handle,
                  .told = how(next, event, socket),
                  .overlapped = next.overlapped,
                  .event = event,
                  .port = socket.port,
                  .key = socket.key,
                  .pool = socket.pool,
                  .socket_seen = socket.seen,
                  .thread = thread.number,
                  .memory = std::move(next.buffers),
                  .routine = next.routine,
                  .submitted = capture_stack(),
                  .local_address_bytes = next.local_address_bytes,
                  .remote_address_bytes = next.remote_address_bytes,
                  .family = next.family,
                  .status_before = next.overlapped->Internal, // the program's own, still
                  .moved_before = next.overlapped->InternalHigh};
    if (next.accept_handle != INVALID_SOCKET) {
        one.accept_socket = find_or_add(next.accept_handle).number;
        ++find_or_add(next.handle).accepts;
    }
    one.memory.insert(one.memory.begin(),
                      lent_memory{reinterpret_cast<std::uintptr_t>(next.overlapped),
                                  sizeof(OVERLAPPED), true, true});
    if (hash_sends_) {
        one.sent_hash = hash_of(one.memory);
    }
    one.frame = first_frame_of(one.memory, thread);
    entered.operation = one.number;
    const inside call{thread.number, next.call, one.number};
    told_.entering(world_, socket, call, at(thread));
    told_.submitting(world_, one, at(thread));
    submits_to_pool(one);
    socket.enter(call);
    emit({.kind = record_kind::submit,
          .thread = thread.number,
          .call = one.call,
          .socket = one.socket,
          .accept_socket = one.accept_socket,
          .operation = one.number,
          .told = one.told,
          .overlapped = reinterpret_cast<std::uintptr_t>(one.overlapped),
          .memory = one.memory});
    with_event_ += one.told == told_by::event || one.told == told_by::nothing ? 1 : 0;
    ++in_flight_;
    world_.lend(std::move(one));
    return entered;
} catch (const std::exception&) {
    lost_sight();
    return {};
}

void recorder::returned(const ticket& entered, bool immediate,
                        std::optional<std::uint32_t> bytes, std::uint32_t error) try {
    const locked guard(*this);
    leave_socket(entered);
    const bool is_pending = !immediate && error == WSA_IO_PENDING;
    record what{.kind = record_kind::returned,
                .began = entered.began,
                .thread = entered.thread,
                .call = entered.call,
                .socket = entered.socket,
                .operation = entered.operation,
                .result = immediate    ? outcome::immediate
                          : is_pending ? outcome::pending
                                       : outcome::failed,
                .error = immediate || is_pending ? 0 : error,
                .bytes = bytes.value_or(0)};
    if (entered.operation == 0) { // not tracked
        what.kind = record_kind::call;
        what.result = immediate || is_pending ? outcome::ok : outcome::failed;
        emit(std::move(what));
        return;
    }
    const auto found = world_.operations.find(entered.operation);
    if (found ==
        world_.operations.end()) { // another thread has dequeued its packet meanwhile
        emit(std::move(what));
        return;
    }
    operation& one = found->second;
    one.returned = true;
    if (is_pending) {
        told_.pending(one, at(who()));
        emit(std::move(what));
        return;
    }
    const socket_info* const socket = find(one.handle);
    const bool skips =
        socket != nullptr && socket->number == one.socket && socket->skip_mode;
    // An immediate failure leaves nothing behind. An immediate success does: a packet will
    // come, unless skip mode is on, or a routine. Where there is neither, the result was
    // read when the call has given the number of bytes.
    const bool result_read = one.told == told_by::port      ? skips
                             : one.told == told_by::pool    ? skips
                             : one.told == told_by::routine ? false
                                                            : bytes.has_value();
    // A receive that a datagram does not fit into fails at once, and a packet may come all
    // the same.
    if (!immediate && one.told == told_by::port &&
        (error == WSAEMSGSIZE || error == ERROR_MORE_DATA)) {
        world_.late_packets[one.overlapped] = {one.number, one.call, one.socket};
    }
    if (!immediate || result_read) {
        what.back = true;
        if (pool_io* const pool = find_pool_io(one.pool);
            pool != nullptr && one.told == told_by::pool) {
            pool->not_to_come.push_back({entered.thread, false, one.submitted});
        }
        const SOCKET accept_handle = one.accept_handle;
        const std::uint32_t accept_socket = one.accept_socket;
        come_back(entered.operation, std::move(what));
        if (!immediate && (error == WSAENOTSOCK || error == ERROR_INVALID_HANDLE)) {
            forget_guess(entered.handle, entered.socket);
            forget_guess(accept_handle, accept_socket);
        }
        return;
    }
    emit(std::move(what));
} catch (const std::exception&) {
    lost_sight();
}

// A handle that is closed already, or none at all, was taken for a socket that had been
// there before.
void recorder::forget_guess(SOCKET handle, std::uint32_t number) {
    const auto found = world_.sockets.find(handle);
    if (found != world_.sockets.end() && found->second.number == number &&
        !found->second.seen) {
        world_.sockets.erase(found);
    }
}

asked_to_end recorder::asks_to_end(SOCKET handle, const OVERLAPPED* overlapped) try {
    const locked guard(*this);
    socket_info* const socket = find(handle);
    if (socket == nullptr) {
        return {};
    }
    ++socket->cancels;
    const operation* const one = overlapped == nullptr ? nullptr : world_.with(overlapped);
    return {.socket = socket->number, .operation = one == nullptr ? 0 : one->number};
} catch (const std::exception&) {
    lost_sight();
    return {};
}

asked_to_end recorder::asks_own_to_end(SOCKET handle) try {
    const locked guard(*this);
    const thread_info& thread = who();
    socket_info* const socket = find(handle);
    if (socket == nullptr) {
        return {};
    }
    ++socket->cancels;
    // One that has just ended, and that nobody has asked about: there was something to ask.
    const bool has_own = std::any_of(world_.operations.begin(), world_.operations.end(),
                                     [&](const auto& one) {
                                         return one.second.socket == socket->number &&
                                                one.second.thread == thread.number;
                                     });
    settle_all();
    std::uint32_t own = 0;
    const operation* other = nullptr;
    for (const auto& [number, one] : world_.operations) {
        if (one.socket == socket->number && one.pending) {
            own += one.thread == thread.number ? 1 : 0;
            other = &one;
        }
    }
    if (!has_own && other != nullptr) {
        told_.cancelled_nothing(*socket, *other, at(thread));
    }
    return {.socket = socket->number, .own = own};
} catch (const std::exception&) {
    lost_sight();
    return {};
}

void recorder::cancelled(const char* call, SOCKET handle, const asked_to_end& asked,
                         bool ok, std::uint32_t error) try {
    const locked guard(*this);
    if (socket_info* const socket = find(handle);
        socket != nullptr && socket->number == asked.socket) {
        --socket->cancels;
        socket->failed = socket->failed || ok;
    }
    emit({.kind = record_kind::cancel,
          .thread = who().number,
          .call = call,
          .socket = asked.socket,
          .operation = asked.operation,
          .result = ok ? outcome::ok : outcome::failed,
          .error = ok ? 0 : error,
          .asked = asked.own,
          .lent = world_.operations.contains(asked.operation)});
} catch (const std::exception&) {
    lost_sight();
}

void recorder::before_vanishing() try {
    if (in_flight_ > 0) {
        const locked guard(*this);
        settle_all();
    }
} catch (const std::exception&) {
    lost_sight();
}

void recorder::vanished(const char* call) try {
    if (in_flight_ == 0) {
        return;
    }
    const locked guard(*this);
    const auto is_gone = [](const lent_memory& memory) {
        MEMORY_BASIC_INFORMATION there{};
        return memory.bytes > 0 &&
               ::VirtualQuery(reinterpret_cast<const void*>(memory.address), &there,
                              sizeof(there)) != 0 &&
               there.State != MEM_COMMIT;
    };
    for (auto& [number, one] : world_.operations) {
        const auto gone = std::find_if(one.memory.begin(), one.memory.end(), is_gone);
        if (!one.gone && gone != one.memory.end()) {
            told_.vanished(one, *gone, call, at(who()));
            one.gone = true;
            one.pending = false;
        }
    }
} catch (const std::exception&) {
    lost_sight();
}

void recorder::freeing(const char* call, const void* block, std::size_t bytes) try {
    const auto begin = reinterpret_cast<std::uintptr_t>(block);
    // Most programs free far more often than they lend: those that have nothing near it
    // only pass by.
    ::AcquireSRWLockShared(&lock_);
    const bool lent = world_.is_lent(begin, begin + bytes);
    ::ReleaseSRWLockShared(&lock_);
    if (!lent) {
        return;
    }
    const locked guard(*this, false);
    settle(world_.touching(begin, begin + bytes));
    const std::vector<const operation*> operations = world_.touching(begin, begin + bytes);
    if (!operations.empty()) {
        told_.freeing(operations, call, begin, begin + bytes, at(who()));
        for (const operation* const one : operations) {
            operation& freed = world_.operations.at(one->number);
            freed.gone = true;
            freed.pending = false; // what is there now may be another's
        }
    }
} catch (const std::exception&) {
    lost_sight();
}

} // namespace iocp::watch
