#pragma once
// One connection to the server that is measured.

#include "pattern.hpp"

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <system_error>
#include <vector>

// One thing at a time: connect, exchange, leave. Each calls its handler when it is done, with what went wrong or with
// an empty text; after that the connection is of no use. A client outlives the handlers that are under way.
class client {
public:
    using handler = std::function<void(const std::string& problem)>;

    // The number decides which bytes are sent.
    client(asio::io_context& context, const pattern& bytes, std::uint64_t number);

    client(const client&) = delete;
    client& operator=(const client&) = delete;

    void connect(const asio::ip::tcp::endpoint& where, handler done);

    // Sends a message and waits until all of it is back, comparing each byte.
    void exchange(std::size_t size, handler done);

    // Sends no more, and waits for the end of what the server sends, which must be now.
    void leave(handler done);

    // Gives the buffer back, which the next exchange makes again: for clients that are silent for long.
    void release_buffer();

    // Whatever is under way ends, and nobody is told.
    void abandon();

private:
    void close();
    void receive();
    void finish(const std::string& problem);
    void finish_when_both_are_done();

    asio::ip::tcp::socket socket_;
    const pattern& bytes_;
    std::uint64_t number_;
    std::uint64_t offset_ = 0; // in the stream: where the message begins
    std::vector<char> buffer_;
    std::size_t size_ = 0;
    std::size_t received_ = 0;
    bool sending_ = false;
    handler done_;
};
