// The recorder: sockets, ports and events, and packets that are posted or waited for.

#include "common/watch/recorder_lock.hpp"
#include "common/watch/stack.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace iocp::watch {

void recorder::made_socket(const char* call, SOCKET handle, int family, int type, bool seen,
                           std::uint64_t began) try {
    const locked guard(*this);
    const std::uint32_t thread = who().number;
    socket_info& socket = world_.sockets[handle];
    socket = {.number = ++sockets_,
              .handle = handle,
              .type = type,
              .seen = seen,
              .made = capture_stack()};
    emit({.kind = record_kind::socket,
          .began = began,
          .thread = thread,
          .call = call,
          .socket = socket.number,
          .result = outcome::ok,
          .family = family});
} catch (const std::exception&) {
    lost_sight();
}

// The handle value can be another's as soon as the real call is under way, so the socket
// leaves the world before it.
socket_info recorder::closing(const char* call, SOCKET handle, std::uint32_t unread) try {
    const locked guard(*this);
    const thread_info& thread = who();
    const auto found = world_.sockets.find(handle);
    if (found == world_.sockets.end()) {
        return {};
    }
    told_.closing(world_, found->second, unread, at(thread));
    socket_info socket = std::move(found->second);
    world_.sockets.erase(found);
    emit({.kind = record_kind::close,
          .thread = thread.number,
          .call = call,
          .socket = socket.number,
          .result = outcome::ok,
          .bytes = unread});
    return socket;
} catch (const std::exception&) {
    lost_sight();
    return {};
}

void recorder::put_back(const socket_info& socket) try {
    const locked guard(*this);
    if (socket.number != 0) {
        world_.sockets.try_emplace(socket.handle, socket);
    }
} catch (const std::exception&) {
    lost_sight();
}

void recorder::made_port(HANDLE port) try {
    const locked guard(*this);
    const std::uint32_t thread = who().number;
    emit({.kind = record_kind::port,
          .thread = thread,
          .port = find_or_add_port(port).number});
} catch (const std::exception&) {
    lost_sight();
}

void recorder::associated(HANDLE handle, HANDLE port, std::uint64_t key) try {
    const locked guard(*this);
    const std::uint32_t thread = who().number;
    // Something else may be on the port as well, a job for example.
    socket_info* const socket = find(reinterpret_cast<SOCKET>(handle));
    if (socket == nullptr) {
        return;
    }
    socket->port = find_or_add_port(port).number;
    socket->key = key;
    emit({.kind = record_kind::associate,
          .thread = thread,
          .socket = socket->number,
          .port = socket->port,
          .key = key});
} catch (const std::exception&) {
    lost_sight();
}

void recorder::skips_packets(HANDLE handle) try {
    const locked guard(*this);
    const std::uint32_t thread = who().number;
    if (socket_info* const socket = find(reinterpret_cast<SOCKET>(handle))) {
        socket->skip_mode = true;
        emit({.kind = record_kind::skip_mode, .thread = thread, .socket = socket->number});
    }
} catch (const std::exception&) {
    lost_sight();
}

void recorder::has_context(SOCKET handle) try {
    const locked guard(*this);
    socket_info* const socket = find(handle);
    if (socket == nullptr) {
        return;
    }
    socket->needs_context = nullptr;
    // Whoever has waited for an event need not ask for the result, and then the operation
    // is taken back later.
    for (auto& [number, one] : world_.operations) {
        const bool accepted =
            one.accept_handle == handle && one.accept_socket == socket->number;
        const bool connected = one.handle == handle && one.socket == socket->number &&
                               std::string_view(one.call) == "ConnectEx";
        one.has_context = one.has_context || accepted || connected;
    }
} catch (const std::exception&) {
    lost_sight();
}

void recorder::lingers(SOCKET handle, bool resets) try {
    const locked guard(*this);
    if (socket_info* const socket = find(handle)) {
        socket->resets = resets;
    }
} catch (const std::exception&) {
    lost_sight();
}

void recorder::accept_ended(SOCKET listener, bool failed) {
    socket_info* const socket = find(listener);
    if (socket == nullptr) {
        return;
    }
    socket->accepts -= socket->accepts > 0 ? 1 : 0;
    socket->accept_failed = failed;
    socket->last_accepted = now();
    socket->record_then = records_;
    if (failed && socket->accepts == 0) {
        world_.deaf.push_back(listener);
    }
}

void recorder::context_failed(SOCKET listener) try {
    const locked guard(*this);
    if (socket_info* const socket = find(listener);
        socket != nullptr && socket->accepts == 0) {
        socket->accept_failed = true;
        socket->last_accepted = now();
        socket->record_then = records_;
        world_.deaf.push_back(listener);
    }
} catch (const std::exception&) {
    lost_sight();
}

// A server may wait a moment before it tries again, and another thread may be about to: so
// it has time, and more where much else is going on. It is looked at before and after waits
// for packets.
void recorder::look_for_deaf_ones() {
    constexpr std::uint64_t a_while = 1'500'000'000;
    constexpr std::uint64_t long_enough = 30'000'000'000;
    constexpr std::uint64_t hardly_anything = 50; // records
    std::erase_if(world_.deaf, [this](SOCKET handle) {
        const socket_info* const socket = find(handle);
        if (socket == nullptr || socket->accepts > 0 || !socket->accept_failed) {
            return true;
        }
        const bool quiet = records_ <= socket->record_then + hardly_anything;
        if (now() < socket->last_accepted + (quiet ? a_while : long_enough)) {
            return false;
        }
        told_.deaf(*socket, at(who()));
        return true;
    });
}

void recorder::starts_process(const char* call) try {
    const locked guard(*this);
    const socket_info* first = nullptr;
    std::size_t count = 0;
    for (const auto& [handle, socket] : world_.sockets) {
        DWORD flags = 0;
        if (socket.is_socket() &&
            ::GetHandleInformation(reinterpret_cast<HANDLE>(handle), &flags) &&
            (flags & HANDLE_FLAG_INHERIT) != 0) {
            ++count;
            if (first == nullptr || socket.number < first->number) {
                first = &socket;
            }
        }
    }
    if (first != nullptr) {
        told_.inheriting(*first, count - 1, call, at(who()));
    }
} catch (const std::exception&) {
    lost_sight();
}

void recorder::made_event(HANDLE event) try {
    const locked guard(*this);
    const std::uint32_t thread = who().number;
    world_.events[event] = {.number = ++events_, .made = capture_stack()};
    emit({.kind = record_kind::event_object,
          .thread = thread,
          .call = "WSACreateEvent",
          .object = events_});
} catch (const std::exception&) {
    lost_sight();
}

void recorder::closing_event(HANDLE event) try {
    const locked guard(*this);
    const std::uint32_t thread = who().number;
    if (const auto found = world_.events.find(event); found != world_.events.end()) {
        emit({.kind = record_kind::close_event,
              .thread = thread,
              .call = "WSACloseEvent",
              .object = found->second.number});
        world_.events.erase(found);
    }
} catch (const std::exception&) {
    lost_sight();
}

void recorder::loses_sight(HANDLE handle, const char* call) try {
    const locked guard(*this);
    const thread_info& thread = who();
    if (socket_info* const socket = find(reinterpret_cast<SOCKET>(handle))) {
        told_.losing_sight(*socket, call, at(thread));
        socket->untracked = true;
    }
} catch (const std::exception&) {
    lost_sight();
}

void recorder::closing_port(HANDLE port) try {
    const locked guard(*this);
    const thread_info& thread = who();
    if (const auto found = world_.ports.find(port); found != world_.ports.end()) {
        told_.closing_port(found->second, at(thread));
        emit({.kind = record_kind::close_port,
              .thread = thread.number,
              .port = found->second.number});
        world_.ports.erase(found);
    }
} catch (const std::exception&) {
    lost_sight();
}

void recorder::post(HANDLE port, std::uint32_t bytes, std::uint64_t key,
                    OVERLAPPED* overlapped) try {
    const locked guard(*this);
    const std::uint32_t thread = who().number;
    port_info& posted_to = find_or_add_port(port);
    const std::uint32_t number = posted_to.number;
    world_.posted.emplace(overlapped, posted_packet{number, key, bytes});
    constexpr std::uint32_t very_many = 100'000;
    if (++posted_to.posted == very_many) {
        told_.piling_up(posted_to, at(who()));
    }
    emit({.kind = record_kind::post,
          .thread = thread,
          .call = "PostQueuedCompletionStatus",
          .port = number,
          .result = outcome::ok,
          .bytes = bytes,
          .key = key,
          .overlapped = reinterpret_cast<std::uintptr_t>(overlapped)});
} catch (const std::exception&) {
    lost_sight();
}

void recorder::unpost(HANDLE port, std::uint32_t bytes, std::uint64_t key,
                      OVERLAPPED* overlapped) try {
    const locked guard(*this);
    port_info& posted_to = find_or_add_port(port);
    // Most have no OVERLAPPED: another packet may be on its way at this moment.
    const auto [first, last] = world_.posted.equal_range(overlapped);
    const auto found = std::find_if(first, last, [&](const auto& one) {
        return one.second.port == posted_to.number && one.second.key == key &&
               one.second.bytes == bytes;
    });
    if (found != last) {
        world_.posted.erase(found);
        posted_to.posted -= posted_to.posted > 0 ? 1 : 0;
    }
} catch (const std::exception&) {
    lost_sight();
}

void recorder::waits(HANDLE port) try {
    const locked guard(*this);
    told_.calling(world_, at(who()));
    look_for_deaf_ones();
    if (const auto found = world_.ports.find(port); found != world_.ports.end()) {
        ++found->second.waiting;
    }
} catch (const std::exception&) {
    lost_sight();
}

void recorder::wait_ended(HANDLE port, std::uint32_t error, bool worth_a_record) try {
    const locked guard(*this);
    const std::uint32_t thread = who().number;
    ++dequeues_;
    look_for_deaf_ones();
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
} catch (const std::exception&) {
    lost_sight();
}

} // namespace iocp::watch
