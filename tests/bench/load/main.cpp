// Puts an echo server under load and tells how it did. Every byte that comes back is compared with the one that was
// sent.
//
// It writes a line of JSON when the clock begins to run, one when it has stopped, and one with the result; or, with
// --table, the result alone, for people. It ends with status 1 when something was wrong.

#include "report.hpp"
#include "run.hpp"

#include <CLI/CLI.hpp>

#if defined(__unix__)
#include <sys/resource.h>
#endif

#include <cstdio>
#include <exception>
#include <string>

namespace {

// Each client takes a descriptor; on Windows there is no such limit.
void raise_descriptor_limit() {
#if defined(__unix__)
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &limit); // when refused, connecting will tell
    }
#endif
}

void add_options(CLI::App& mode, options& how) {
    mode.add_option("--host", how.host, "the server's numeric address")->capture_default_str();
    mode.add_option("--port", how.port, "the server's port")->capture_default_str();
    mode.add_option("--clients", how.clients, "at a time")->check(CLI::Range(1, 100'000))->capture_default_str();
    mode.add_option("--size", how.size, "bytes of a message")->check(CLI::Range(1, 1 << 20))->capture_default_str();
    mode.add_option("--patience", how.patience, "seconds without any progress until the rest is given up")
        ->check(CLI::Range(0.1, 600.0))
        ->capture_default_str();
    mode.add_option("--limit", how.limit, "seconds for coming, for the last answers and for leaving, each")
        ->check(CLI::Range(0.1, 3600.0))
        ->capture_default_str();
    mode.add_flag("--table", how.table, "the result for people");
}

void add_clock(CLI::App& mode, options& how) {
    mode.add_option("--seconds", how.seconds, "that the clock runs")
        ->check(CLI::Range(0.01, 3600.0))
        ->capture_default_str();
    mode.add_option("--rounds", how.rounds, "of each client, in place of --seconds");
}

int put_under_load(int argc, char** argv) {
    options how;
    CLI::App app{"Puts an echo server under load and checks every byte that comes back.", "load"};
    app.require_subcommand(1);
    CLI::App* const echo =
        app.add_subcommand("echo", "clients that send a message as soon as they have the last one back");
    CLI::App* const visit =
        app.add_subcommand("connect", "clients that connect, exchange one message, leave and come again");
    CLI::App* const hold =
        app.add_subcommand("hold", "silent clients; a line `echo BYTES` makes each exchange a message");
    for (CLI::App* const mode : {echo, visit, hold}) {
        add_options(*mode, how);
    }
    add_clock(*echo, how);
    add_clock(*visit, how);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& problem) {
        return app.exit(problem) == 0 ? 0 : 2;
    }
    raise_descriptor_limit();
    run load{how};
    report result;
    if (echo->parsed()) {
        result = load.echo();
    } else if (visit->parsed()) {
        result = load.visit();
    } else {
        result = load.hold();
    }
    if (how.table) {
        print_table(result);
    } else {
        print_json(result);
    }
    return result.errors == 0 && result.served == result.clients ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
    try {
        return put_under_load(argc, argv);
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "load: %s\n", problem.what());
        return 1;
    }
}
