// The recorder: sockets, ports and events, and packets that are posted or waited for.

#include "common/watch/recorder_lock.hpp"
#include "common/watch/stack.hpp"

#include <utility>

namespace iocp::watch {

void recorder::made_socket(const char* call, SOCKET handle, int family, int type, bool seen,
                           std::uint64_t began) {
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
}

// The handle value can be another's as soon as the real call is under way, so the socket
// leaves the world before it.
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
    emit({.kind = record_kind::port,
          .thread = thread,
          .port = find_or_add_port(port).number});
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
    emit({.kind = record_kind::associate,
          .thread = thread,
          .socket = socket->number,
          .port = socket->port,
          .key = key});
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
    world_.events[event] = {.number = ++events_, .made = capture_stack()};
    emit({.kind = record_kind::event_object,
          .thread = thread,
          .call = "WSACreateEvent",
          .object = events_});
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
        emit({.kind = record_kind::close_port,
              .thread = thread.number,
              .port = found->second.number});
        world_.ports.erase(found);
    }
}

void recorder::post(HANDLE port, std::uint32_t bytes, std::uint64_t key,
                    OVERLAPPED* overlapped) {
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
    ++dequeues_;
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

} // namespace iocp::watch
