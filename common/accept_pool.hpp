#pragma once
/// \file
/// Several AcceptEx in flight on one port (chapter 09 shows it raw).

#include "common/event_acceptor.hpp"
#include "common/extension_functions.hpp"
#include "common/operation.hpp"
#include "common/overlapped_socket.hpp"
#include "common/unique.hpp"

#include <mutex>

namespace iocp {

/// What the end of an operation means.
enum class kind { accept, receive, send };

/// An operation that says what it is: what a worker looks at when a packet comes.
struct typed_operation : operation {
    explicit typed_operation(kind what_it_is) noexcept : what{what_it_is} {}
    const kind what;
};

/// One AcceptEx with the socket that it is to connect. Its packet comes with kind::accept.
struct accept_operation : typed_operation {
    accept_operation() noexcept : typed_operation{kind::accept} {}
    unique_socket socket;
    char addresses[2 * accept_address_room];
};

/// Owns a listener and keeps accepts in flight on it. Any thread may call any function.
class accept_pool {
public:
    /// Takes over a listening socket, ties it to a port, and arms the first accepts.
    /// \param family AF_INET or AF_INET6, as the listener's
    /// \param key    the completion key of the listener's packets
    /// \param target how many accepts should be in flight
    /// \throws call_error when the listener cannot be tied to the port
    accept_pool(unique_socket listening, int family, const unique_handle& port,
                ULONG_PTR key, unsigned target);

    /// Arms what is missing. A failure is reported; to be called again whenever things may
    /// have become better.
    void top_up();

    /// Takes an accept back from its packet.
    /// \param code the packet's; ERROR_SUCCESS if a client has come
    /// \return the accepted socket with its context updated; none if the accept has failed
    /// \throws call_error when the context cannot be updated
    unique_socket take(accept_operation* lent, DWORD code);

    /// From now on no accept is armed. Those in flight are not touched.
    void stop_arming();

    /// Closes the listener: the accepts in flight come back as failures.
    void close() noexcept { cancel_and_close(listener_); }

    /// How many accepts are in flight.
    unsigned armed() const;

    SOCKET listener() const noexcept { return listener_.get(); }

private:
    void submit();

    unique_socket listener_;
    int family_;
    extension_functions extensions_;
    mutable std::mutex lock_; // of both numbers, and of every AcceptEx
    unsigned target_;
    unsigned armed_ = 0;
};

} // namespace iocp
