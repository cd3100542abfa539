#pragma once

#include "tests/support/deadline.hpp"
#include "tests/support/endpoint.hpp"

#include <winsock2.h>

#include <optional>
#include <string>
#include <string_view>

namespace support {

/// How a stream ended.
enum class ending {
    orderly, ///< the peer said that it sends no more (recv gave 0)
    reset,   ///< the peer, or its system, cut the connection (10054 or 10053)
};

/// What came until a stream ended.
struct rest_of_stream {
    std::string bytes;
    ending how = ending::orderly;
};

/// A client that talks bytes. Every wait has an end: when nothing has moved for the patience of a test it throws a
/// failure. As long as bytes move it goes on: how many the system's buffers hold, and so how long megabytes take, is no
/// server's doing.
class client {
public:
    /// Connects. A failure when that is refused, or not answered in time.
    /// \param receive_buffer SO_RCVBUF, set before connecting; 0 leaves it to the system. With a small one a client
    /// that
    ///        does not read fills the way back sooner.
    explicit client(const endpoint& where, int receive_buffer = 0);
    ~client();

    client(client&& other) noexcept;
    client& operator=(client&& other) noexcept;

    void send_all(std::string_view bytes);

    std::string receive_exactly(std::size_t count);

    /// Reads until the stream ends, one way or the other.
    /// \param pace the time from one recv to the next, which makes a slow reader
    /// \param read_at_most how much one recv asks for
    rest_of_stream receive_until_end(std::chrono::milliseconds pace = 0ms, std::size_t read_at_most = 65'536);

    /// Sends all of it and reads as much at the same time, as a client must that sends more than the way can hold.
    /// \param read_at_most how much one recv asks for; little of it makes a slow reader
    /// \return what came back
    std::string exchange(std::string_view bytes, std::size_t read_at_most = 65'536);

    /// Sends until nothing more is taken for a while, and reads nothing. The way there and back is full then.
    /// \param limit stops here at the latest
    /// \return how much was taken
    std::size_t fill(std::size_t limit);

    /// Listens for a while. \return true when neither a byte nor the end of the stream came
    bool hears_nothing_for(std::chrono::milliseconds duration);

    /// Waits, without reading anything, until the peer has cut the connection. \return false when time is up
    bool is_cut_off(std::chrono::milliseconds limit = patience);

    /// shutdown(SD_SEND): says that no more comes, and goes on reading.
    void shutdown_send();

    /// Cuts the connection: closes with SO_LINGER on and 0 seconds, which sends a reset.
    void reset();

    /// Closes in the usual way.
    void close();

    /// The address that the server sees, `127.0.0.1:50000`.
    std::string own_address() const;

    /// One recv that does not wait. \return what it took; nothing when it would have waited; an empty string at the
    /// end of the stream
    std::optional<std::string> receive_some(std::size_t at_most);

    /// One send that does not wait. \return how much it took, which may be nothing
    std::size_t send_some(std::string_view bytes);

    /// For WSAPoll over many clients. Still owned by this object.
    SOCKET native() const { return socket_; }

private:
    // Waits until the socket is ready for one of `events`. False when time is up.
    bool wait_for(short events, deadline until);

    // The error that the socket has met by itself, 0 for none.
    int pending_error() const;

    SOCKET socket_;
};

} // namespace support
