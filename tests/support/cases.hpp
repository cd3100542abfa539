#pragma once

#include "tests/support/client.hpp"
#include "tests/support/server.hpp"
#include "tests/support/words.hpp"

#include <string_view>
#include <vector>

namespace support {

/// More than loopback holds in both directions when nobody reads at either end.
inline constexpr std::size_t more_than_fits = 64U << 20;

/// A small buffer for a client that reads slowly or never: the way back is full soon.
inline constexpr int small_buffer = 8192;

/// Sends until nothing more is taken for a while and reads nothing, and ends the case in words when the server takes
/// all. \return how much was taken
std::size_t fill_the_way(client& one, std::size_t limit = more_than_fits, const place& at = place::current());

/// A new client connects, says `word` and gets it back: the server is alive and has room.
void check_serves(const server& running);

/// Checks what a client meets that connects now, while `first` stays connected: as the table says for `behaviour` it is
/// served at once, or it hears nothing until `first` has left and is served then. Ends `first`.
void check_second_client(const server& running, client first, std::string_view behaviour);

/// Checks that exactly `limit` clients are served at the same time, that one more waits without being refused, and that
/// it is served when one of the others leaves.
void check_limit(const server& running, std::size_t limit);

/// Checks that the last line of a server that has ended says so: `in flight: 0`, or in chapter 17, which says more,
/// `..., 0 in flight`. Of a reader's own server it is asked when that has been declared to have the line.
void check_nothing_in_flight(const server& ended);

/// Every kind of client of the table on one server, one after the other and beside each other, for servers that serve
/// them all: what a switch of a server must not change.
void check_every_kind_of_client(const server& running);

/// A hundred and fifty clients talk, all of them stay, and the server has started no thread for it.
void check_clients_cost_no_thread(const server& running);

/// Beside a client that talks and one to which no more can be sent, Ctrl+C ends the server in silence.
/// \param stops_between_sends it may end a client that has nothing in flight at that moment, and cancels nothing then
void check_stops_with_a_stuck_send(server& running, bool stops_between_sends = false);

} // namespace support
