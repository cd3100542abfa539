// Messages on the engine of chapter 17: messages.hpp has the rules, answering.hpp the policy, and this is the program
// around them.

#include "answering.hpp"
#include "messages.hpp"
#include "server.hpp"
#include "settings.hpp"

#include "common/address.hpp"
#include "common/command_line.hpp"
#include "common/listener.hpp"
#include "common/overlapped_socket.hpp"
#include "common/stop_signal.hpp"
#include "common/winsock.hpp"
#include "common/worker_pool.hpp"

#include <cstdio>
#include <exception>
#include <utility>

namespace {

template <class Rule>
void serve(const iocp::address& where, const settings& how) {
    const iocp::stop_signal stop;
    iocp::unique_socket listener = iocp::overlapped_socket(where.family());
    iocp::start_listening(listener.get(), where);
    server<answering<Rule>> s{std::move(listener), where.family(), how};
    const iocp::worker_pool pool{s.port, how.workers, [&s] { s.work(); }};
    do {
        s.post_tick();
    } while (!stop.wait(1000));
    s.shut_down();
}

} // namespace

int main(int argc, char** argv) {
    iocp::server_options options;
    settings how;
    how.workers = 4;
    bool lines = false;
    iocp::command_line{"framing", "messages on a stream: each is answered with its bytes backwards"}
        .server(options)
        .flag("--lines", lines, "a message ends with a line feed; without it four bytes say its length")
        .parse(argc, argv);
    try {
        const iocp::winsock winsock;
        const iocp::address where{options.host, options.port};
        if (lines) {
            serve<by_line>(where, how);
        } else {
            serve<by_length>(where, how);
        }
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
