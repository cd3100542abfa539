#pragma once
// The three ways to put a server under load.

#include "client.hpp"
#include "pattern.hpp"
#include "report.hpp"

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

struct options {
    std::string host = "127.0.0.1";
    std::uint16_t port = 6000;
    std::size_t clients = 1;
    std::size_t size = 64;
    double seconds = 1;
    std::size_t rounds = 0; // echoes, or visits, of each client; 0: as many as the seconds allow
    double patience = 3;    // seconds without any progress: then whoever waits has waited for nothing
    double limit = 30;      // seconds for coming, for the last answers, and for leaving, each
    bool table = false;
};

class run {
public:
    explicit run(const options& how);

    // All connect and exchange a message; then the clock runs, and each sends its next message as soon as it has the
    // answer to the last.
    report echo();

    // Each connects, exchanges a message, leaves, and comes again as another client.
    report visit();

    // All connect and are silent, until a line on standard input tells what is next: `echo BYTES`; the end of the input
    // is the end of the run.
    report hold();

private:
    using clock = std::chrono::steady_clock;

    // What a client does at one go. The handler is called when it has done it, or has failed.
    using task = std::function<void(std::size_t place, client::handler done)>;

    // Where one client is at a time.
    struct place {
        std::unique_ptr<client> who;
        bool well = true;
        std::size_t done = 0; // while the clock runs
        clock::time_point begun;
    };

    void new_client(std::size_t at);
    void come(std::size_t at, client::handler done);
    void exchange(std::size_t at, client::handler done);
    void come_and_go(std::size_t at, client::handler done);

    void fail(std::size_t at, const std::string& problem);
    void give_up(std::size_t at);
    std::size_t well() const;

    std::size_t all_do(const task& what);
    void must_all_do(const task& what, const char* otherwise);
    void all_leave();
    void measure(const task& what);
    void begin(std::size_t at);
    void ended(std::size_t at, const std::string& problem);
    void look_at_the_clock();
    void stop_the_clock();
    bool goes_on();

    options how_;
    pattern bytes_;
    asio::io_context context_;
    asio::steady_timer timer_;
    asio::ip::tcp::endpoint where_;
    std::vector<place> places_;
    std::vector<std::unique_ptr<client>>
        gone_; // with a failure; what was under way may still tell them that it has ended
    std::uint64_t numbers_ = 0;
    std::size_t size_;
    report result_;

    clock::time_point progress_; // when something was last done
    clock::time_point since_;    // when what has a limit was begun

    // What is measured, and since when.
    task what_;
    std::size_t under_way_ = 0;
    clock::time_point started_;
    bool clock_runs_ = false;
};
