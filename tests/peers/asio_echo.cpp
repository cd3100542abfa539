// A TCP echo server as one writes it with Asio. Under Windows Asio uses a completion port; all of that is Asio's own
// code. Asio runs the handlers of one connection one after the other (a strand), on whichever thread is free; a single
// thread needs no strands.

#include <asio/any_io_executor.hpp>
#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/signal_set.hpp>
#include <asio/strand.hpp>
#include <asio/write.hpp>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

using asio::ip::tcp;

// One connection. Each handler holds a pointer to it: when the last handler has run it goes, and the socket with it.
class session : public std::enable_shared_from_this<session> {
public:
    session(tcp::socket socket, std::size_t buffer) : socket_(std::move(socket)), buffer_(buffer) {}

    void start() {
        asio::post(socket_.get_executor(), [self = shared_from_this()] { self->receive(); });
    }

    // Whatever is under way is cancelled, and nothing follows it. From any thread.
    void stop() {
        asio::post(socket_.get_executor(), [self = shared_from_this()] {
            self->stopped_ = true;
            std::error_code ignored; // there may be nothing to cancel
            self->socket_.cancel(ignored);
        });
    }

private:
    // Without a further operation nobody holds this object any more. That is how a connection ends: with the end of the
    // client's stream, with a reset, or with stop().
    void receive() {
        if (stopped_) {
            return;
        }
        socket_.async_read_some(asio::buffer(buffer_),
                                [self = shared_from_this()](const std::error_code& error, std::size_t size) {
                                    if (!error) {
                                        self->send(size);
                                    }
                                });
    }

    void send(std::size_t size) {
        asio::async_write(socket_, asio::buffer(buffer_, size),
                          [self = shared_from_this()](const std::error_code& error, std::size_t) {
                              if (!error) {
                                  self->receive();
                              }
                          });
    }

    tcp::socket socket_;
    std::vector<char> buffer_;
    bool stopped_ = false; // only in the strand
};

// `--port N --threads N --buffer BYTES`
struct options {
    std::uint16_t port = 6000;
    unsigned threads = std::max(2U, std::thread::hardware_concurrency());
    std::size_t buffer = 16'384; // of each connection
};

class server {
public:
    server(asio::io_context& context, const options& how)
        : context_(context), how_(how), acceptor_(one_after_the_other()), interrupt_(acceptor_.get_executor(), SIGINT) {
        const tcp::endpoint where(asio::ip::address_v4::loopback(), how.port);
        acceptor_.open(where.protocol());
        acceptor_.bind(where);
        acceptor_.listen();
        interrupt_.async_wait([this](const std::error_code& error, int) {
            if (!error) {
                stop();
            }
        });
        accept();
    }

    std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

private:
    asio::any_io_executor one_after_the_other() {
        if (how_.threads == 1) {
            return context_.get_executor();
        }
        return asio::make_strand(context_);
    }

    void accept() {
        acceptor_.async_accept(one_after_the_other(), [this](const std::error_code& error, tcp::socket socket) {
            if (!acceptor_.is_open()) {
                return;
            }
            if (!error) {
                std::error_code ignored; // without it small answers are slower, and that is all
                socket.set_option(tcp::no_delay(true), ignored);
                const auto made = std::make_shared<session>(std::move(socket), how_.buffer);
                remember(made);
                made->start();
            }
            accept();
        });
    }

    // Those that have gone are looked for only now and then: each time they would cost more than the accept.
    void remember(const std::shared_ptr<session>& made) {
        if (sessions_.size() == forget_at_) {
            std::erase_if(sessions_, [](const std::weak_ptr<session>& one) { return one.expired(); });
            forget_at_ = std::max<std::size_t>(64, 2 * sessions_.size());
        }
        sessions_.push_back(made);
    }

    void stop() {
        acceptor_.close();
        for (const std::weak_ptr<session>& one : sessions_) {
            if (const std::shared_ptr<session> living = one.lock()) {
                living->stop();
            }
        }
    }

    asio::io_context& context_;
    options how_;
    tcp::acceptor acceptor_;
    asio::signal_set interrupt_;
    std::vector<std::weak_ptr<session>> sessions_; // only in the acceptor's strand
    std::size_t forget_at_ = 64;
};

options read_options(int argc, char** argv) {
    options given;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string_view name = argv[i];
        const unsigned long value = std::strtoul(argv[i + 1], nullptr, 10);
        if (name == "--port") {
            given.port = static_cast<std::uint16_t>(value);
        } else if (name == "--threads") {
            given.threads = static_cast<unsigned>(std::clamp(value, 1UL, 64UL));
        } else if (name == "--buffer") {
            given.buffer = std::clamp(value, 1UL, 1UL << 20);
        }
    }
    return given;
}

} // namespace

int main(int argc, char** argv) {
    const options given = read_options(argc, argv);
    try {
        asio::io_context context(static_cast<int>(given.threads));
        const server running(context, given);
        std::printf("listening on 127.0.0.1:%u\n", running.port());
        std::fflush(stdout);

        // Each thread stays until there is nothing left to wait for.
        std::vector<std::thread> threads;
        for (unsigned i = 1; i < given.threads; ++i) {
            threads.emplace_back([&context] { context.run(); });
        }
        context.run();
        for (std::thread& one : threads) {
            one.join();
        }
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "asio_echo: %s\n", problem.what());
        return 1;
    }
}
