#pragma once
/// \file
/// What chapter 01 does to its sockets by hand, for the chapters after it.

#include "common/address.hpp"

#include <winsock2.h>

namespace iocp {

/// Binds \p socket, for its address alone (SO_EXCLUSIVEADDRUSE), listens with the largest
/// backlog, and says so on stdout: `listening on 127.0.0.1:6000`, flushed.
///
/// \throws call_error with the address in its text
void start_listening(SOCKET socket, const address& where);

/// Sends small answers at once (TCP_NODELAY). A failure is reported and is no reason to
/// drop the client.
void send_without_delay(SOCKET socket) noexcept;

} // namespace iocp
