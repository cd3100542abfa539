#pragma once
/// \file
/// The command line of every chapter: `--host`, `--port`, `--help`, and what a chapter
/// adds. Not taught here.

#include <cstdint>
#include <memory>
#include <string>

namespace iocp {

/// Where a server listens.
struct server_options {
    std::string host = "127.0.0.1"; ///< a numeric IPv4 or IPv6 address
    std::uint16_t port = 6000;      ///< 0: any free port
};

/// Reads a chapter's arguments. CLI11 does the work; its header is included in
/// command_line.cpp alone.
class command_line {
public:
    /// \param program what `--help` calls the program
    /// \param idea    the one idea of the chapter, the first line of `--help`
    command_line(const std::string& program, const std::string& idea);
    ~command_line();
    command_line(const command_line&) = delete;
    command_line& operator=(const command_line&) = delete;

    /// Adds `--host` and `--port`. \p target must outlive parse().
    command_line& server(server_options& target);

    /// Adds a switch that is off unless given. \p target must outlive parse().
    command_line& flag(const std::string& name, bool& target, const std::string& help);

    /// Adds a whole number with bounds; its value before parse() is the default. \p target
    /// must outlive parse().
    command_line& number(const std::string& name, unsigned& target, unsigned least,
                         unsigned most, const std::string& help);

    /// Adds a word, such as a name; its value before parse() is the default. \p target must
    /// outlive parse().
    command_line& text(const std::string& name, std::string& target,
                       const std::string& help);

    /// Reads the arguments. Ends the program itself after `--help` (status 0), and with one
    /// line on stderr after a bad argument (status 2).
    void parse(int argc, char** argv);

private:
    struct implementation;
    std::unique_ptr<implementation> self_;
};

/// The whole command line of a chapter that has no options of its own.
server_options parse_server_options(int argc, char** argv, const std::string& program,
                                    const std::string& idea);

} // namespace iocp
