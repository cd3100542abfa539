#include "common/watch/recorder.hpp"

#include <algorithm>
#include <utility>

namespace iocp::watch {

namespace {

// What OVERLAPPED.Internal holds until the operation has ended (STATUS_PENDING; HasOverlappedIoCompleted compares with
// it).
constexpr ULONG_PTR still_pending = 0x103;

call_stack capture() {
    call_stack frames{};
    ::RtlCaptureStackBackTrace(0, static_cast<DWORD>(frames.size()), frames.data(), nullptr);
    return frames;
}

// The frame on this thread's stack that holds an address.
frame_mark frame_around(std::uintptr_t address) {
    CONTEXT context{};
    ::RtlCaptureContext(&context);
    while (context.Rip != 0) {
        DWORD64 base = 0;
        if (RUNTIME_FUNCTION* const function = ::RtlLookupFunctionEntry(context.Rip, &base, nullptr)) {
            void* handler_data = nullptr;
            DWORD64 establisher = 0;
            ::RtlVirtualUnwind(UNW_FLAG_NHANDLER, base, context.Rip, function, &context, &handler_data, &establisher,
                               nullptr);
        } else { // a function without a frame
            context.Rip = *reinterpret_cast<const DWORD64*>(context.Rsp);
            context.Rsp += sizeof(DWORD64);
        }
        // Just below the caller's part of the stack is the return address.
        const auto place = static_cast<std::uintptr_t>(context.Rsp) - sizeof(std::uintptr_t);
        if (address < place) {
            return {reinterpret_cast<const std::uintptr_t*>(place), static_cast<std::uintptr_t>(context.Rip)};
        }
    }
    return {};
}

// The frame of the function that returns first of those whose local variables are lent.
frame_mark first_frame_of(const std::vector<lent_memory>& memory, const thread_info& thread) {
    std::uintptr_t lowest = thread.stack_high;
    for (const lent_memory& one : memory) {
        if (one.address >= thread.stack_low) {
            lowest = std::min(lowest, one.address);
        }
    }
    const char marker = 0;
    const auto here = reinterpret_cast<std::uintptr_t>(&marker);
    const bool on_this_stack = here >= thread.stack_low && here < lowest; // not a fiber's
    return on_this_stack && lowest < thread.stack_high ? frame_around(lowest) : frame_mark{};
}

// The system's code for the status that is in an OVERLAPPED.
std::uint32_t code_of(ULONG_PTR status) {
    static const auto convert = reinterpret_cast<ULONG(WINAPI*)(LONG)>(
        reinterpret_cast<void*>(::GetProcAddress(::GetModuleHandleW(L"ntdll.dll"), "RtlNtStatusToDosError")));
    return convert(static_cast<LONG>(status));
}

bool low_bit(HANDLE event) {
    return (reinterpret_cast<std::uintptr_t>(event) & 1) != 0;
}

told_by how(const submission& next, const socket_info& socket) {
    if (next.routine != nullptr) {
        return told_by::routine;
    }
    // The low bit of hEvent says: no packet for this one, although the socket has a port.
    if (socket.port != 0 && !low_bit(next.overlapped->hEvent)) {
        return told_by::port;
    }
    return next.overlapped->hEvent != nullptr ? told_by::event : told_by::nothing;
}

} // namespace

std::uint64_t hash_of(const std::vector<lent_memory>& memory) {
    std::uint64_t hash = 14'695'981'039'346'656'037U;
    for (const lent_memory& one : memory) {
        if (!one.written && !one.overlapped) {
            const auto* const bytes = reinterpret_cast<const unsigned char*>(one.address);
            for (std::size_t i = 0; i < one.bytes; ++i) {
                hash = (hash ^ bytes[i]) * 1'099'511'628'211U;
            }
        }
    }
    return hash;
}

// Holds the recorder's lock. The listener hears that it is free again after it is.
class recorder::locked {
public:
    explicit locked(recorder& one, bool may_wait = true) : one_(one), may_wait_(may_wait) {
        ::AcquireSRWLockExclusive(&one_.lock_);
    }
    ~locked() {
        ::ReleaseSRWLockExclusive(&one_.lock_);
        one_.told_.unlocked(may_wait_);
    }
    locked(const locked&) = delete;
    locked& operator=(const locked&) = delete;

private:
    recorder& one_;
    bool may_wait_;
};

recorder::recorder(listener& told, bool hash_sends) : told_(told), hash_sends_(hash_sends) {
    LARGE_INTEGER value{};
    ::QueryPerformanceFrequency(&value);
    frequency_ = static_cast<std::uint64_t>(value.QuadPart);
    ::QueryPerformanceCounter(&value);
    began_ = static_cast<std::uint64_t>(value.QuadPart);
}

std::uint64_t recorder::now() const {
    LARGE_INTEGER value{};
    ::QueryPerformanceCounter(&value);
    const std::uint64_t ticks = static_cast<std::uint64_t>(value.QuadPart) - began_;
    constexpr std::uint64_t second = 1'000'000'000;
    return ticks / frequency_ * second + ticks % frequency_ * second / frequency_;
}

thread_info& recorder::who() {
    const DWORD id = ::GetCurrentThreadId();
    const auto [entry, is_new] = world_.threads.try_emplace(id);
    thread_info& thread = entry->second;
    if (is_new) {
        thread.number = ++threads_;
        ULONG_PTR low = 0;
        ULONG_PTR high = 0;
        ::GetCurrentThreadStackLimits(&low, &high);
        thread.stack_low = low;
        thread.stack_high = high;
        if (thread_end_slot_ != FLS_OUT_OF_INDEXES) {
            ::FlsSetValue(thread_end_slot_, this); // the callback comes only where there is a value
        }
        emit({.kind = record_kind::thread, .thread = thread.number, .os_thread = id});
    }
    return thread;
}

moment recorder::at(const thread_info& thread) const {
    return {now(), thread.number, records_};
}

void recorder::emit(record what) {
    what.number = ++records_;
    what.nanoseconds = now();
    told_.happened(what);
}

socket_info* recorder::find(SOCKET handle) {
    const auto found = world_.sockets.find(handle);
    return found == world_.sockets.end() ? nullptr : &found->second;
}

// A socket that was there before the watch, or was inherited, is numbered when it is first seen.
socket_info& recorder::find_or_add(SOCKET handle) {
    socket_info& socket = world_.sockets[handle];
    if (socket.number == 0) {
        socket.number = ++sockets_;
        socket.handle = handle;
    }
    return socket;
}

port_info& recorder::find_or_add_port(HANDLE port) {
    port_info& found = world_.ports[port];
    if (found.number == 0) {
        found.number = ++ports_;
    }
    return found;
}

bool recorder::knows(SOCKET handle) const {
    ::AcquireSRWLockShared(&lock_);
    const bool found = world_.sockets.contains(handle);
    ::ReleaseSRWLockShared(&lock_);
    return found;
}

bool recorder::is_port(HANDLE handle) const {
    ::AcquireSRWLockShared(&lock_);
    const bool found = world_.ports.contains(handle);
    ::ReleaseSRWLockShared(&lock_);
    return found;
}

void recorder::start(const std::string& program) {
    const locked guard(*this);
    // No thread: a DLL is brought in by one that is gone when the program begins, and the program's first is to be 1.
    emit({.kind = record_kind::start, .text = program});
}

ticket recorder::enter(const char* call, SOCKET handle) {
    const locked guard(*this);
    const thread_info& thread = who();
    ticket entered{.call = call, .handle = handle, .thread = thread.number, .began = now()};
    if (socket_info* const socket = find(handle)) {
        entered.socket = socket->number;
        const inside one{thread.number, call, 0};
        told_.entering(world_, *socket, one, at(thread));
        socket->threads.push_back(one);
    }
    return entered;
}

// The socket may be closed by now, and its handle value another's.
void recorder::leave_socket(const ticket& entered) {
    socket_info* const socket = find(entered.handle);
    if (socket == nullptr || socket->number != entered.socket) {
        return;
    }
    const auto mine = std::find_if(socket->threads.begin(), socket->threads.end(), [&](const inside& one) {
        return one.thread == entered.thread && one.operation == entered.operation;
    });
    if (mine != socket->threads.end()) {
        socket->threads.erase(mine);
    }
}

void recorder::leave(const ticket& entered, bool ok, std::uint32_t bytes, std::uint32_t error) {
    const locked guard(*this);
    leave_socket(entered);
    emit({.kind = record_kind::call,
          .began = entered.began,
          .thread = entered.thread,
          .call = entered.call,
          .socket = entered.socket,
          .result = ok ? outcome::ok : outcome::failed,
          .error = error,
          .bytes = bytes});
}

void recorder::called(const char* call, std::uint64_t began, bool ok, std::uint32_t error) {
    const locked guard(*this);
    const std::uint32_t thread = who().number;
    emit({.kind = record_kind::call,
          .began = began,
          .thread = thread,
          .call = call,
          .result = ok ? outcome::ok : outcome::failed,
          .error = error});
}

ticket recorder::submit(submission next) {
    const locked guard(*this);
    const thread_info& thread = who();
    socket_info& socket = find_or_add(next.handle);
    ticket entered{
        .call = next.call, .handle = next.handle, .socket = socket.number, .thread = thread.number, .began = now()};
    if (socket.untracked) {
        return entered;
    }
    if (const operation* const before = world_.with(next.overlapped)) {
        take_back_signalled({before});
    }
    operation one{.number = ++operations_,
                  .call = next.call,
                  .socket = socket.number,
                  .handle = next.handle,
                  .accept_handle = next.accept_handle,
                  .told = how(next, socket),
                  .overlapped = next.overlapped,
                  .event = next.overlapped->hEvent,
                  .key = socket.key,
                  .thread = thread.number,
                  .memory = std::move(next.buffers),
                  .routine = next.routine,
                  .submitted = capture(),
                  .local_address_bytes = next.local_address_bytes,
                  .remote_address_bytes = next.remote_address_bytes,
                  .family = next.family};
    if (next.accept_handle != INVALID_SOCKET) {
        one.accept_socket = find_or_add(next.accept_handle).number;
    }
    one.memory.insert(one.memory.begin(),
                      lent_memory{reinterpret_cast<std::uintptr_t>(next.overlapped), sizeof(OVERLAPPED), true, true});
    if (hash_sends_) {
        one.sent_hash = hash_of(one.memory);
    }
    one.frame = first_frame_of(one.memory, thread);
    entered.operation = one.number;
    const inside call{thread.number, next.call, one.number};
    told_.entering(world_, socket, call, at(thread));
    told_.submitting(world_, one, at(thread));
    socket.threads.push_back(call);
    emit({.kind = record_kind::submit,
          .thread = thread.number,
          .call = one.call,
          .socket = one.socket,
          .accept_socket = one.accept_socket,
          .operation = one.number,
          .told = one.told,
          .overlapped = reinterpret_cast<std::uintptr_t>(one.overlapped),
          .memory = one.memory});
    with_event_ += one.told == told_by::event ? 1 : 0;
    world_.lend(std::move(one));
    return entered;
}

void recorder::returned(const ticket& entered, bool immediate, std::optional<std::uint32_t> bytes,
                        std::uint32_t error) {
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
    if (found == world_.operations.end()) { // another thread has dequeued its packet meanwhile
        emit(std::move(what));
        return;
    }
    const operation& one = found->second;
    if (is_pending) {
        told_.pending(one, at(who()));
        emit(std::move(what));
        return;
    }
    const socket_info* const socket = find(one.handle);
    const bool skips = socket != nullptr && socket->number == one.socket && socket->skip_mode;
    // An immediate failure leaves nothing behind. An immediate success does: a packet will come, unless skip mode is
    // on, or a routine. Where there is neither, the result was read when the call has given the number of bytes.
    const bool result_read = one.told == told_by::port      ? skips
                             : one.told == told_by::routine ? false
                                                            : bytes.has_value();
    if (!immediate || result_read) {
        what.back = true;
        come_back(entered.operation, std::move(what));
        return;
    }
    emit(std::move(what));
}

void recorder::come_back(std::uint64_t number, record what) {
    const thread_info& thread = who();
    told_.coming_back(world_, world_.operations.at(number), at(thread));
    operation one = world_.take_back(number);
    with_event_ -= one.told == told_by::event ? 1 : 0;
    // The thread that submitted it may not have returned yet. But the system is done with the call when it has queued
    // the packet: whoever has the packet may close the socket, or send again.
    if (socket_info* const socket = find(one.handle); socket != nullptr && socket->number == one.socket) {
        std::erase_if(socket->threads, [&](const inside& call) { return call.operation == number; });
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

void recorder::made_socket(const char* call, SOCKET handle, int family, std::uint64_t began) {
    const locked guard(*this);
    const std::uint32_t thread = who().number;
    socket_info& socket = world_.sockets[handle];
    socket = {.number = ++sockets_, .handle = handle, .made = capture()};
    emit({.kind = record_kind::socket,
          .began = began,
          .thread = thread,
          .call = call,
          .socket = socket.number,
          .result = outcome::ok,
          .family = family});
}

// The handle value can be another's as soon as the real call is under way, so the socket leaves the world before it.
socket_info recorder::closing(const char* call, SOCKET handle) {
    const locked guard(*this);
    const thread_info& thread = who();
    const auto found = world_.sockets.find(handle);
    if (found == world_.sockets.end()) {
        return {};
    }
    told_.closing(world_, found->second, at(thread));
    socket_info socket = std::move(found->second);
    world_.sockets.erase(found);
    emit({.kind = record_kind::close,
          .thread = thread.number,
          .call = call,
          .socket = socket.number,
          .result = outcome::ok});
    return socket;
}

void recorder::put_back(const socket_info& socket) {
    const locked guard(*this);
    if (socket.number != 0) {
        world_.sockets.try_emplace(socket.handle, socket);
    }
}

void recorder::made_port(HANDLE port) {
    const locked guard(*this);
    const std::uint32_t thread = who().number;
    emit({.kind = record_kind::port, .thread = thread, .port = find_or_add_port(port).number});
}

void recorder::associated(HANDLE handle, HANDLE port, std::uint64_t key) {
    const locked guard(*this);
    const std::uint32_t thread = who().number;
    // Only sockets are followed; a file or a pipe may be on the port as well.
    socket_info* const socket = find(reinterpret_cast<SOCKET>(handle));
    if (socket == nullptr) {
        return;
    }
    socket->port = find_or_add_port(port).number;
    socket->key = key;
    emit(
        {.kind = record_kind::associate, .thread = thread, .socket = socket->number, .port = socket->port, .key = key});
}

void recorder::skips_packets(HANDLE handle) {
    const locked guard(*this);
    const std::uint32_t thread = who().number;
    if (socket_info* const socket = find(reinterpret_cast<SOCKET>(handle))) {
        socket->skip_mode = true;
        emit({.kind = record_kind::skip_mode, .thread = thread, .socket = socket->number});
    }
}

void recorder::has_context(SOCKET handle) {
    const locked guard(*this);
    if (socket_info* const socket = find(handle)) {
        socket->needs_context = false;
    }
}

void recorder::made_event(HANDLE event) {
    const locked guard(*this);
    const std::uint32_t thread = who().number;
    world_.events[event] = {.number = ++events_, .made = capture()};
    emit({.kind = record_kind::event_object, .thread = thread, .call = "WSACreateEvent", .object = events_});
}

void recorder::closing_event(HANDLE event) {
    const locked guard(*this);
    const std::uint32_t thread = who().number;
    if (const auto found = world_.events.find(event); found != world_.events.end()) {
        emit({.kind = record_kind::close_event,
              .thread = thread,
              .call = "WSACloseEvent",
              .object = found->second.number});
        world_.events.erase(found);
    }
}

void recorder::loses_sight(HANDLE handle, const char* call) {
    const locked guard(*this);
    const thread_info& thread = who();
    if (socket_info* const socket = find(reinterpret_cast<SOCKET>(handle))) {
        told_.losing_sight(*socket, call, at(thread));
        socket->untracked = true;
    }
}

void recorder::closing_port(HANDLE port) {
    const locked guard(*this);
    const thread_info& thread = who();
    if (const auto found = world_.ports.find(port); found != world_.ports.end()) {
        told_.closing_port(found->second, at(thread));
        emit({.kind = record_kind::close_port, .thread = thread.number, .port = found->second.number});
        world_.ports.erase(found);
    }
}

void recorder::post(HANDLE port, std::uint32_t bytes, std::uint64_t key, OVERLAPPED* overlapped) {
    const locked guard(*this);
    const std::uint32_t thread = who().number;
    const std::uint32_t number = find_or_add_port(port).number;
    world_.posted.emplace(overlapped, posted_packet{number, key, bytes});
    emit({.kind = record_kind::post,
          .thread = thread,
          .call = "PostQueuedCompletionStatus",
          .port = number,
          .result = outcome::ok,
          .bytes = bytes,
          .key = key,
          .overlapped = reinterpret_cast<std::uintptr_t>(overlapped)});
}

void recorder::unpost(OVERLAPPED* overlapped) {
    const locked guard(*this);
    if (const auto found = world_.posted.find(overlapped); found != world_.posted.end()) {
        world_.posted.erase(found);
    }
}

void recorder::waits(HANDLE port) {
    const locked guard(*this);
    told_.calling(world_, at(who()));
    if (const auto found = world_.ports.find(port); found != world_.ports.end()) {
        ++found->second.waiting;
    }
}

void recorder::wait_ended(HANDLE port, std::uint32_t error, bool worth_a_record) {
    const locked guard(*this);
    const std::uint32_t thread = who().number;
    std::uint32_t number = 0;
    if (const auto found = world_.ports.find(port); found != world_.ports.end()) {
        number = found->second.number;
        found->second.waiting -= found->second.waiting > 0 ? 1 : 0;
    }
    if (error != 0 && worth_a_record) {
        emit({.kind = record_kind::wait_failed,
              .thread = thread,
              .port = number,
              .result = outcome::failed,
              .error = error});
    }
}

void recorder::dequeued(HANDLE port, std::uint64_t key, OVERLAPPED* overlapped, std::uint32_t bytes,
                        std::optional<std::uint32_t> error) {
    const locked guard(*this);
    const thread_info& thread = who();
    record what{.kind = record_kind::packet,
                .thread = thread.number,
                .port = find_or_add_port(port).number,
                .bytes = bytes,
                .key = key,
                .overlapped = reinterpret_cast<std::uintptr_t>(overlapped)};

    // A program may post a packet with the OVERLAPPED of an operation: then the one whose operation has not ended is
    // the posted one.
    const auto [first, last] = world_.posted.equal_range(overlapped);
    const auto posted =
        std::find_if(first, last, [&](const auto& one) { return one.second.key == key && one.second.bytes == bytes; });
    const operation* const one = overlapped == nullptr ? nullptr : world_.with(overlapped);
    if (!error) {
        error = one == nullptr || one->gone ? 0 : code_of(overlapped->Internal);
    }
    what.result = *error == 0 ? outcome::ok : outcome::failed;
    what.error = *error;
    if (one != nullptr && (posted == last || one->gone || overlapped->Internal != still_pending)) {
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

void recorder::answered(SOCKET handle, OVERLAPPED* overlapped, bool ok, std::uint32_t bytes, std::uint32_t error) {
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
    // A failure may be the operation's, or that of the question: then the operation is still pending. One that is told
    // of by a packet has lent its memory until the packet is dequeued, whatever its result says.
    if (one == nullptr || what.result == outcome::incomplete || (!one->gone && overlapped->Internal == still_pending) ||
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
        // An event may be set although this operation has not ended: by another one, or by the program.
        if (one.told == told_by::event && !one.gone && one.overlapped->Internal != still_pending &&
            std::find(events.begin(), events.end(), one.event) != events.end()) {
            one.signalled = true;
            one.status = one.overlapped->Internal;
            one.moved = static_cast<std::uint32_t>(one.overlapped->InternalHigh);
            const socket_info* const socket = find(one.handle);
            if (socket == nullptr || socket->number != one.socket) { // nobody is left to ask for the result
                never_asked.push_back(&one);
            }
        }
    }
    take_back_signalled(never_asked);
}

// What the program frees or uses again now it has taken back before. What was there then was kept: since then it may
// have written there, or left the function whose variable it was.
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

LPWSAOVERLAPPED_COMPLETION_ROUTINE recorder::entered_routine(OVERLAPPED* overlapped, std::uint32_t bytes,
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

void recorder::cancelled(const char* call, SOCKET handle, OVERLAPPED* overlapped, bool ok, std::uint32_t error) {
    const locked guard(*this);
    const std::uint32_t thread = who().number;
    const socket_info* const socket = world_.socket(handle);
    if (socket == nullptr) { // not a socket that is known
        return;
    }
    const operation* const one = overlapped == nullptr ? nullptr : world_.with(overlapped);
    emit({.kind = record_kind::cancel,
          .thread = thread,
          .call = call,
          .socket = socket->number,
          .operation = one == nullptr ? 0 : one->number,
          .result = ok ? outcome::ok : outcome::failed,
          .error = ok ? 0 : error});
}

void recorder::freeing(const char* call, const void* block, std::size_t bytes) {
    const auto begin = reinterpret_cast<std::uintptr_t>(block);
    // Most programs free far more often than they lend: those that have nothing near it only pass by.
    ::AcquireSRWLockShared(&lock_);
    const bool lent = !world_.touching(begin, begin + bytes).empty();
    ::ReleaseSRWLockShared(&lock_);
    if (!lent) {
        return;
    }
    const locked guard(*this, false);
    take_back_signalled(world_.touching(begin, begin + bytes));
    const std::vector<const operation*> operations = world_.touching(begin, begin + bytes);
    if (!operations.empty()) {
        told_.freeing(operations, call, begin, begin + bytes, at(who()));
        for (const operation* const one : operations) {
            world_.operations.at(one->number).gone = true;
        }
    }
}

void recorder::thread_ends() {
    const locked guard(*this, false);
    const auto found = world_.threads.find(::GetCurrentThreadId());
    if (found == world_.threads.end() || ended_) {
        return;
    }
    take_back_all_signalled();
    told_.thread_ending(world_, found->second, at(found->second));
    take_back_orphans(found->second.number);
    for (const operation* const one : world_.touching(found->second.stack_low, found->second.stack_high)) {
        world_.operations.at(one->number).gone = true;
    }
    emit({.kind = record_kind::thread_end, .thread = found->second.number});
    world_.threads.erase(found);
}

// A completion routine is called on the thread that has submitted the operation: without that thread it never is.
// Windows cancels the operation before the thread is gone.
void recorder::take_back_orphans(std::uint32_t thread) {
    std::vector<std::uint64_t> orphans;
    for (const auto& [number, one] : world_.operations) {
        if (one.thread == thread && one.told == told_by::routine) {
            orphans.push_back(number);
        }
    }
    for (const std::uint64_t number : orphans) {
        come_back(number, {.kind = record_kind::result, .result = outcome::failed, .error = ERROR_OPERATION_ABORTED});
    }
}

void recorder::follow_threads(PFLS_CALLBACK_FUNCTION ended) {
    const locked guard(*this);
    thread_end_slot_ = ::FlsAlloc(ended);
}

void recorder::program_ends(bool count_what_is_left, bool others_live) {
    if (!others_live) {
        // A thread that was ended while it held the lock holds it for ever.
        if (!::TryAcquireSRWLockExclusive(&lock_)) {
            return;
        }
        ::ReleaseSRWLockExclusive(&lock_);
    }
    const locked guard(*this, false);
    if (ended_) {
        return;
    }
    ended_ = true;
    const thread_info& thread = who();
    if (count_what_is_left) {
        take_back_all_signalled();
        told_.ending(world_, at(thread));
    }
    emit({.kind = record_kind::end, .thread = thread.number});
}

} // namespace iocp::watch
