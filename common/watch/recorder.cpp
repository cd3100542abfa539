// The recorder: its lock and its clock, threads, calls that submit nothing, and the ends.

#include "common/watch/recorder.hpp"

#include "common/watch/guarded_read.hpp"
#include "common/watch/recorder_lock.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace iocp::watch {

std::uint64_t hash_of(const std::vector<lent_memory>& memory) {
    std::uint64_t hash = 14'695'981'039'346'656'037U;
    for (const lent_memory& one : memory) {
        std::array<unsigned char, 4096> some{};
        for (std::size_t at = 0; at < one.bytes && !one.written && !one.overlapped;
             at += some.size()) {
            const std::size_t bytes = std::min(some.size(), one.bytes - at);
            // What is not there any more counts as well: it is something else than before.
            if (!guarded_read(some.data(), reinterpret_cast<const void*>(one.address + at),
                              bytes)) {
                some.fill(0);
            }
            for (std::size_t i = 0; i < bytes; ++i) {
                hash = (hash ^ some[i]) * 1'099'511'628'211U;
            }
        }
    }
    return hash;
}

// To look a function up takes the loader's lock, which a thread may hold that waits for
// ours: so it is done here.
recorder::recorder(listener& told, bool hash_sends)
    : told_(told), hash_sends_(hash_sends),
      to_code_(reinterpret_cast<ULONG(WINAPI*)(LONG)>(reinterpret_cast<void*>(
          ::GetProcAddress(::GetModuleHandleW(L"ntdll.dll"), "RtlNtStatusToDosError")))) {
    LARGE_INTEGER value{};
    ::QueryPerformanceFrequency(&value);
    frequency_ = static_cast<std::uint64_t>(value.QuadPart);
    identity_slot_ = ::TlsAlloc();
    ::QueryPerformanceCounter(&value);
    began_ = static_cast<std::uint64_t>(value.QuadPart);
}

recorder::~recorder() {
    ::TlsFree(identity_slot_);
}

std::uint64_t recorder::now() const {
    LARGE_INTEGER value{};
    ::QueryPerformanceCounter(&value);
    const std::uint64_t ticks = static_cast<std::uint64_t>(value.QuadPart) - began_;
    constexpr std::uint64_t second = 1'000'000'000;
    return ticks / frequency_ * second + ticks % frequency_ * second / frequency_;
}

// The system's code for the status that is in an OVERLAPPED.
std::uint32_t recorder::code_of(ULONG_PTR status) const {
    return to_code_(static_cast<LONG>(status));
}

// A thread's id is another's when it has ended. So each has its number in a slot of its
// own, from its first call to its very end: what it does after it was told that it ends, in
// destructors of other DLLs, belongs to the same thread and begins no new one.
thread_info& recorder::who() {
    const DWORD id = ::GetCurrentThreadId();
    const auto known = reinterpret_cast<std::uintptr_t>(::TlsGetValue(identity_slot_));
    const auto [entry, is_new] = world_.threads.try_emplace(id);
    thread_info& thread = entry->second;
    if (!is_new && known == 0) {
        thread = {}; // of one that has ended unseen
    }
    if (is_new && known != 0) {
        world_.threads.erase(entry);
        after_its_end_.number = static_cast<std::uint32_t>(known);
        return after_its_end_;
    }
    if (thread.number == 0) {
        thread.number = ++threads_;
        ::TlsSetValue(identity_slot_,
                      reinterpret_cast<void*>(std::uintptr_t{thread.number}));
        ULONG_PTR low = 0;
        ULONG_PTR high = 0;
        ::GetCurrentThreadStackLimits(&low, &high);
        thread.stack_low = low;
        thread.stack_high = high;
        if (thread_end_slot_ != FLS_OUT_OF_INDEXES) {
            ::FlsSetValue(thread_end_slot_,
                          this); // the callback comes only where there is a value
        }
        emit({.kind = record_kind::thread, .thread = thread.number, .os_thread = id});
    }
    return thread;
}

moment recorder::at(const thread_info& thread) const {
    return {now(), thread.number, records_};
}

// The lists are kept as they are, in part without what has just happened. Nobody draws
// conclusions from them any more.
void recorder::lost_sight() noexcept {
    if (lost_.exchange(true)) {
        return;
    }
    ::AcquireSRWLockExclusive(&lock_);
    told_.lost_sight();
    ::ReleaseSRWLockExclusive(&lock_);
}

void recorder::emit(record what) {
    if (lost_ && what.kind != record_kind::end) {
        return;
    }
    what.number = ++records_;
    what.nanoseconds = now();
    told_.happened(what);
}

socket_info* recorder::find(SOCKET handle) {
    const auto found = world_.sockets.find(handle);
    return found == world_.sockets.end() ? nullptr : &found->second;
}

// A socket that was there before the watch, or was inherited, is numbered when it is first
// seen.
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

void recorder::start(const std::string& program) try {
    const locked guard(*this);
    // No thread: a DLL is brought in by one that is gone when the program begins, and the
    // program's first is to be 1.
    emit({.kind = record_kind::start, .text = program});
} catch (const std::exception&) {
    lost_sight();
}

ticket recorder::enter(const char* call, SOCKET handle) try {
    const locked guard(*this);
    const thread_info& thread = who();
    ticket entered{.call = call, .handle = handle, .thread = thread.number, .began = now()};
    if (socket_info* const socket = find(handle)) {
        entered.socket = socket->number;
        const inside one{thread.number, call, 0};
        told_.entering(world_, *socket, one, at(thread));
        socket->enter(one);
    }
    return entered;
} catch (const std::exception&) {
    lost_sight();
    return {};
}

// The socket may be closed by now, and its handle value another's.
void recorder::leave_socket(const ticket& entered) {
    socket_info* const socket = find(entered.handle);
    if (socket == nullptr || socket->number != entered.socket) {
        return;
    }
    const auto mine = std::find_if(
        socket->threads.begin(), socket->threads.end(), [&](const inside& one) {
            return one.thread == entered.thread && one.operation == entered.operation;
        });
    if (mine != socket->threads.end()) {
        socket->threads.erase(mine);
    }
}

void recorder::leave(const ticket& entered, bool ok, std::uint32_t bytes,
                     std::uint32_t error) try {
    const locked guard(*this);
    leave_socket(entered);
    if (socket_info* const socket = find(entered.handle);
        !ok && error != WSAEWOULDBLOCK && socket != nullptr &&
        socket->number == entered.socket) {
        socket->failed = true;
    }
    emit({.kind = record_kind::call,
          .began = entered.began,
          .thread = entered.thread,
          .call = entered.call,
          .socket = entered.socket,
          .result = ok ? outcome::ok : outcome::failed,
          .error = error,
          .bytes = bytes});
} catch (const std::exception&) {
    lost_sight();
}

void recorder::called(const char* call, std::uint64_t began, bool ok,
                      std::uint32_t error) try {
    const locked guard(*this);
    const std::uint32_t thread = who().number;
    emit({.kind = record_kind::call,
          .began = began,
          .thread = thread,
          .call = call,
          .result = ok ? outcome::ok : outcome::failed,
          .error = error});
} catch (const std::exception&) {
    lost_sight();
}

void recorder::thread_ends() try {
    const locked guard(*this, false);
    const auto found = world_.threads.find(::GetCurrentThreadId());
    if (found == world_.threads.end() || ended_) {
        return;
    }
    std::vector<const operation*> its =
        world_.touching(found->second.stack_low, found->second.stack_high);
    for (const auto& [number, one] : world_.operations) {
        if (one.thread == found->second.number &&
            (one.told != told_by::port || one.event != nullptr)) {
            its.push_back(&one);
        }
    }
    settle(its);
    told_.thread_ending(world_, found->second, at(found->second));
    take_back_orphans(found->second.number);
    for (const operation* const one :
         world_.touching(found->second.stack_low, found->second.stack_high)) {
        operation& lost = world_.operations.at(one->number);
        lost.gone = true;
        lost.pending = false;
    }
    emit({.kind = record_kind::thread_end, .thread = found->second.number});
    world_.threads.erase(found);
} catch (const std::exception&) {
    lost_sight();
}

void recorder::follow_threads(PFLS_CALLBACK_FUNCTION ended) try {
    const locked guard(*this);
    thread_end_slot_ = ::FlsAlloc(ended);
} catch (const std::exception&) {
    lost_sight();
}

void recorder::program_ends(bool count_what_is_left, bool others_live) try {
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
    if (!lost_) {
        settle_all();
        if (count_what_is_left) {
            told_.ending(world_, at(thread));
        }
    }
    emit({.kind = record_kind::end, .thread = thread.number, .dequeues = dequeues_});
} catch (const std::exception&) {
    lost_sight();
}

} // namespace iocp::watch
