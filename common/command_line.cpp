#include "common/command_line.hpp"

#include "common/error.hpp"

#include <winsock2.h>

#include <ws2tcpip.h>

#include <CLI/CLI.hpp>

#include <cstdio>
#include <cstdlib>

namespace iocp {
namespace {

std::string check_numeric_address(const std::string& text) {
    // inet_pton belongs to Winsock, and the program starts that later.
    WSADATA about{};
    if (::WSAStartup(MAKEWORD(2, 2), &about) != 0) {
        return ""; // the program will meet the same failure, and report it
    }
    in6_addr room{};
    const bool good = ::inet_pton(AF_INET, text.c_str(), &room) == 1 ||
                      ::inet_pton(AF_INET6, text.c_str(), &room) == 1;
    if (::WSACleanup() == SOCKET_ERROR) {
        report(::WSAGetLastError(), "WSACleanup");
    }
    return good ? "" : text + " is not a numeric IPv4 or IPv6 address";
}

} // namespace

struct command_line::implementation {
    CLI::App app;
};

command_line::command_line(const std::string& program, const std::string& idea)
    : self_{std::make_unique<implementation>()} {
    self_->app.name(program);
    self_->app.description(idea);
    self_->app.set_help_flag("--help", "this text");
}

command_line::~command_line() = default;

command_line& command_line::server(server_options& target) {
    self_->app.add_option("--host", target.host, "the address to listen on")
        ->check(CLI::Validator{check_numeric_address, "ADDRESS"})
        ->capture_default_str();
    self_->app
        .add_option("--port", target.port, "the port to listen on; 0 takes any free one")
        ->check(CLI::Range(0, 65535))
        ->capture_default_str();
    return *this;
}

command_line& command_line::flag(const std::string& name, bool& target,
                                 const std::string& help) {
    self_->app.add_flag(name, target, help);
    return *this;
}

command_line& command_line::number(const std::string& name, unsigned& target,
                                   unsigned least, unsigned most, const std::string& help) {
    self_->app.add_option(name, target, help)
        ->check(CLI::Range(least, most))
        ->capture_default_str();
    return *this;
}

command_line& command_line::text(const std::string& name, std::string& target,
                                 const std::string& help) {
    self_->app.add_option(name, target, help)->capture_default_str();
    return *this;
}

void command_line::parse(int argc, char** argv) {
    try {
        self_->app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        std::fputs(self_->app.help().c_str(), stdout);
        std::exit(EXIT_SUCCESS);
    } catch (const CLI::ParseError& problem) {
        std::fprintf(stderr, "%s (--help lists the options)\n", problem.what());
        std::exit(2);
    }
}

server_options parse_server_options(int argc, char** argv, const std::string& program,
                                    const std::string& idea) {
    server_options options;
    command_line{program, idea}.server(options).parse(argc, argv);
    return options;
}

} // namespace iocp
