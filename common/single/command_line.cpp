// What `tutorial single` puts in the place of common/command_line.cpp, so that a program in
// one file needs no library: the same options and the same two endings, in fewer words.

#include "common/command_line.hpp"

#include "common/error.hpp"

#include <winsock2.h>

#include <ws2tcpip.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace iocp {
namespace {

// One option: how it is shown, and what takes its value and says whether it is a good one.
struct known_option {
    std::string name;
    std::string help;
    std::function<bool(const std::string&)> take;
    bool has_value = true;
};

bool is_numeric_address(const std::string& text) {
    // inet_pton belongs to Winsock, and the program starts that later.
    WSADATA about{};
    if (::WSAStartup(MAKEWORD(2, 2), &about) != 0) {
        return true; // the program will meet the same failure, and report it
    }
    in6_addr room{};
    const bool good = ::inet_pton(AF_INET, text.c_str(), &room) == 1 ||
                      ::inet_pton(AF_INET6, text.c_str(), &room) == 1;
    if (::WSACleanup() == SOCKET_ERROR) {
        report(::WSAGetLastError(), "WSACleanup");
    }
    return good;
}

template <class Number>
bool read_number(std::string_view text, Number& target, unsigned least, unsigned most) {
    unsigned value = 0;
    const char* const end = text.data() + text.size();
    const auto [read_to, problem] = std::from_chars(text.data(), end, value);
    if (problem != std::errc{} || read_to != end || value < least || value > most) {
        return false;
    }
    target = static_cast<Number>(value);
    return true;
}

[[noreturn]] void refuse(std::string_view what) {
    std::fprintf(stderr, "%.*s (--help lists the options)\n", static_cast<int>(what.size()),
                 what.data());
    std::exit(2);
}

} // namespace

struct command_line::implementation {
    std::string program;
    std::string idea;
    std::vector<known_option> options;

    void add(const std::string& name, const std::string& help,
             std::function<bool(const std::string&)> take) {
        options.push_back({name, help, std::move(take)});
    }

    [[noreturn]] void show_help() const {
        std::printf("%s\nUsage: %s [OPTIONS]\n\n  %-18s  this text\n", idea.c_str(),
                    program.c_str(), "--help");
        for (const known_option& each : options) {
            const std::string shown = each.name + (each.has_value ? " VALUE" : "");
            std::printf("  %-18s  %s\n", shown.c_str(), each.help.c_str());
        }
        std::exit(EXIT_SUCCESS);
    }

    const known_option& find(const std::string& name) const {
        for (const known_option& each : options) {
            if (each.name == name) {
                return each;
            }
        }
        refuse("there is no option " + name);
    }
};

command_line::command_line(const std::string& program, const std::string& idea)
    : self_{std::make_unique<implementation>()} {
    self_->program = program;
    self_->idea = idea;
}

command_line::~command_line() = default;

command_line& command_line::server(server_options& target) {
    self_->add("--host", "the address to listen on [" + target.host + "]",
               [&target](const std::string& value) {
                   target.host = value;
                   return is_numeric_address(value);
               });
    self_->add("--port",
               "the port to listen on; 0 takes any free one [" +
                   std::to_string(target.port) + "]",
               [&target](const std::string& value) {
                   return read_number(value, target.port, 0, 65'535);
               });
    return *this;
}

command_line& command_line::flag(const std::string& name, bool& target,
                                 const std::string& help) {
    self_->options.push_back({name, help,
                              [&target](const std::string&) {
                                  target = true;
                                  return true;
                              },
                              false});
    return *this;
}

command_line& command_line::number(const std::string& name, unsigned& target,
                                   unsigned least, unsigned most, const std::string& help) {
    self_->add(name, help + " [" + std::to_string(target) + "]",
               [&target, least, most](const std::string& value) {
                   return read_number(value, target, least, most);
               });
    return *this;
}

command_line& command_line::text(const std::string& name, std::string& target,
                                 const std::string& help) {
    self_->add(name, help + (target.empty() ? "" : " [" + target + "]"),
               [&target](const std::string& value) {
                   target = value;
                   return true;
               });
    return *this;
}

void command_line::parse(int argc, char** argv) {
    const std::vector<std::string> words(argv + 1, argv + argc);
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (words[i] == "--help") {
            self_->show_help();
        }
        const std::size_t sign = words[i].find('='); // --port=6000 as well as --port 6000
        const std::string name = words[i].substr(0, sign);
        const known_option& option = self_->find(name);
        std::string value;
        if (sign != std::string::npos) {
            value = words[i].substr(sign + 1);
        } else if (option.has_value) {
            if (++i == words.size()) {
                refuse(name + " needs a value");
            }
            value = words[i];
        }
        if (!option.take(value)) {
            refuse(value.append(" is no value for ").append(name));
        }
    }
}

server_options parse_server_options(int argc, char** argv, const std::string& program,
                                    const std::string& idea) {
    server_options options;
    command_line{program, idea}.server(options).parse(argc, argv);
    return options;
}

} // namespace iocp
