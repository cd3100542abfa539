#include "client.hpp"

#include <asio/buffer.hpp>
#include <asio/write.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace {

constexpr std::size_t most_at_once = 65'536;

} // namespace

client::client(asio::io_context& context, const pattern& bytes, std::uint64_t number)
    : socket_{context}, bytes_{bytes}, number_{number} {}

void client::connect(const asio::ip::tcp::endpoint& where, handler done) {
    done_ = std::move(done);
    socket_.async_connect(where, [this](const std::error_code& error) {
        if (error) {
            finish("connect: " + error.message());
            return;
        }
        std::error_code refused;
        socket_.set_option(asio::ip::tcp::no_delay{true}, refused);
        finish(refused ? "TCP_NODELAY: " + refused.message() : "");
    });
}

void client::exchange(std::size_t size, handler done) {
    done_ = std::move(done);
    size_ = size;
    received_ = 0;
    sending_ = true;
    // A byte more than is due fits, so that one too many is noticed.
    buffer_.resize(std::max(buffer_.size(), std::min(size, most_at_once) + 1));
    asio::async_write(socket_, asio::buffer(bytes_.at(number_, offset_), size),
                      [this](const std::error_code& error, std::size_t) {
                          sending_ = false;
                          if (error) {
                              finish("send: " + error.message());
                          } else {
                              finish_when_both_are_done();
                          }
                      });
    // At once, too: a server that cannot send reads no more, and a large message would never be sent.
    receive();
}

void client::receive() {
    const std::size_t due = size_ - received_;
    socket_.async_read_some(
        asio::buffer(buffer_.data(), std::min(buffer_.size(), due + 1)),
        [this, due](const std::error_code& error, std::size_t count) {
            if (error) {
                finish("receive: " + error.message());
            } else if (count > due) {
                finish("more bytes came than were sent");
            } else if (std::memcmp(buffer_.data(), bytes_.at(number_, offset_ + received_), count) != 0) {
                finish("other bytes came than were sent");
            } else {
                received_ += count;
                if (received_ < size_) {
                    receive();
                } else {
                    finish_when_both_are_done();
                }
            }
        });
}

void client::finish_when_both_are_done() {
    if (!sending_ && received_ == size_) {
        offset_ += size_;
        finish("");
    }
}

void client::leave(handler done) {
    done_ = std::move(done);
    buffer_.resize(std::max<std::size_t>(buffer_.size(), 1));
    std::error_code error;
    socket_.shutdown(asio::ip::tcp::socket::shutdown_send, error);
    if (error) {
        finish("shutdown: " + error.message());
        return;
    }
    socket_.async_read_some(asio::buffer(buffer_), [this](const std::error_code& end, std::size_t) {
        if (end == asio::error::eof) {
            close();
            finish("");
        } else {
            finish(end ? "end: " + end.message() : "more bytes came than were sent");
        }
    });
}

void client::release_buffer() {
    buffer_ = {};
}

void client::abandon() {
    done_ = nullptr;
    close();
}

void client::close() {
    std::error_code ignored; // nothing is left that could be lost
    socket_.close(ignored);
}

// The handler may begin the next thing, which has a handler of its own. After a problem the other half of an exchange
// is cancelled, and has nobody to tell.
void client::finish(const std::string& problem) {
    if (!problem.empty()) {
        close();
    }
    if (const handler done = std::exchange(done_, nullptr)) {
        done(problem);
    }
}
