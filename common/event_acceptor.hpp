#pragma once
/// \file
/// AcceptEx with an event, one at a time and without first data. Chapter 06 shows all of it
/// raw.

#include "common/event.hpp"
#include "common/extension_functions.hpp"
#include "common/unique.hpp"

#include <winsock2.h>

#include <ws2tcpip.h>

#include <chrono>
#include <exception>

namespace iocp {

/// What AcceptEx writes for each address: the address of either family, and 16 bytes more.
inline constexpr DWORD accept_address_room = sizeof(sockaddr_in6) + 16;

/// Gives an accepted socket the properties of its listener (SO_UPDATE_ACCEPT_CONTEXT).
/// \throws call_error
void update_accept_context(SOCKET accepted, SOCKET listener);

/// Owns a listener and the one accept that is in flight on it.
///
/// The system writes to this object while the accept is in flight, so it is neither copied
/// nor moved, and its destructor closes the listener and waits until the memory is back.
class event_acceptor {
public:
    /// Takes over a listening socket.
    /// \param family AF_INET or AF_INET6, as the listener's
    /// \throws call_error
    event_acceptor(unique_socket listening, int family);
    ~event_acceptor();
    event_acceptor(const event_acceptor&) = delete;
    event_acceptor& operator=(const event_acceptor&) = delete;

    /// Submits an accept unless one is in flight. After a failure, which is reported once
    /// however long it lasts, nothing is submitted for a quarter of a second: call again.
    /// \return whether one is in flight now
    bool arm() noexcept;

    /// To be called when event() is signalled.
    /// \return the accepted socket, ready for use; none if this accept has failed, which is
    /// reported as in arm() unless it was the client that has reset
    unique_socket take() noexcept;

    /// Signalled when the accept in flight has ended.
    WSAEVENT event() const noexcept { return event_.get(); }

private:
    void submit();
    void failed(const std::exception& problem) noexcept;

    unique_socket listener_;
    int family_;
    extension_functions extensions_;
    unique_event event_;
    unique_socket socket_;
    WSAOVERLAPPED overlapped_{};
    char addresses_[2 * accept_address_room];
    bool in_flight_ = false;
    std::chrono::steady_clock::time_point accept_from_{}; // after a failure: a little later
    DWORD last_failure_ = 0;                              // reported already
};

} // namespace iocp
