#pragma once
/// \file
/// Owners of system objects: each closes what it holds, once, with the call that belongs to
/// its kind.

#include "common/error.hpp"

#include <winsock2.h>

#include <windows.h>

#include <utility>

namespace iocp {

/// Owns one system object. Policy says what its kind is called, which value means "none",
/// and how it is closed.
template <class Policy>
class unique_resource {
public:
    using type = typename Policy::type;

    unique_resource() noexcept = default;
    explicit unique_resource(type resource) noexcept : resource_{resource} {}
    unique_resource(unique_resource&& other) noexcept : resource_{other.release()} {}
    unique_resource& operator=(unique_resource&& other) noexcept {
        reset(other.release());
        return *this;
    }
    ~unique_resource() { reset(); }

    type get() const noexcept { return resource_; }
    explicit operator bool() const noexcept { return resource_ != Policy::none; }

    /// Hands the object to the caller, who closes it from now on.
    [[nodiscard]] type release() noexcept { return std::exchange(resource_, Policy::none); }

    /// Closes the object, if there is one, and holds \p next instead.
    void reset(type next = Policy::none) noexcept {
        const type old = std::exchange(resource_, next);
        if (old != Policy::none) {
            Policy::close(old);
        }
    }

private:
    type resource_ = Policy::none;
};

/// How a socket is owned.
struct socket_policy {
    using type = SOCKET;
    static constexpr type none = INVALID_SOCKET;
    static void close(type socket) noexcept {
        if (::closesocket(socket) == SOCKET_ERROR) {
            report(::WSAGetLastError(), "closesocket");
        }
    }
};

/// How an event is owned that Winsock has made.
struct event_policy {
    using type = WSAEVENT;
    static constexpr type none =
        nullptr; // WSA_INVALID_EVENT, without the cast that a constant may not have
    static void close(type event) noexcept {
        if (!::WSACloseEvent(event)) {
            report(::WSAGetLastError(), "WSACloseEvent");
        }
    }
};

/// How any other handle is owned, if NULL means that there is none.
struct handle_policy {
    using type = HANDLE;
    static constexpr type none = nullptr;
    static void close(type handle) noexcept {
        if (!::CloseHandle(handle)) {
            report(::GetLastError(), "CloseHandle");
        }
    }
};

/// A socket. Closing it does not end the life of memory that is lent to its overlapped
/// operations: those come back through their event or their packet, after the close.
using unique_socket = unique_resource<socket_policy>;

/// An event made with WSACreateEvent.
using unique_event = unique_resource<event_policy>;

/// A handle whose "none" is NULL: a completion port, a thread (not a file, whose "none" is
/// INVALID_HANDLE_VALUE).
using unique_handle = unique_resource<handle_policy>;

} // namespace iocp
