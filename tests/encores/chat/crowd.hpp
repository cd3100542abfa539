#pragma once
/// \file
/// Clients of a chat: a few that talk and listen line by line, and a crowd that does so at once and compares all.

#include "tests/support/client.hpp"
#include "tests/support/server.hpp"

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace chat {

/// A client of a chat that talks and listens line by line. Greetings (company()) it passes over.
class guest {
public:
    explicit guest(const support::endpoint& where, int receive_buffer = 0) : client_{where, receive_buffer} {}

    void says(std::string_view line) { client_.send_all(std::string{line} + "\n"); }

    /// Waits for the next line. A failure when none comes.
    std::string hears();

    /// Waits for the greeting of number `newcomer`.
    void meets(std::size_t newcomer);

    support::client& native() { return client_; }

private:
    std::string next_line();

    support::client client_;
    std::string came_;
};

/// So many guests, each of whom hears from here on what any other one says.
/// \param small how many of them, the last ones, have a small receive buffer
std::vector<guest> company(const support::server& running, std::size_t count, std::size_t small = 0);

/// What a talker of a crowd says as its line number `index`.
std::string line_of(std::size_t talker, std::size_t index);

/// How a member of a crowd behaves.
enum class manner {
    talks,   ///< says its lines, in pieces of any size, and hears all others'
    listens, ///< says nothing and hears everybody
    resets,  ///< says half a line, resets the connection, comes again
    leaves,  ///< says half a line, closes, comes again
};

/// Many clients at once, from one thread. Each line that one hears is compared: whole, of a talker, and the next one of
/// this talker. Throws a failure at the first one that is not.
class crowd {
public:
    /// \param lines how many lines each talker says
    crowd(const support::server& running, std::size_t talkers, std::size_t listeners, std::size_t others,
          std::size_t lines);
    ~crowd();

    /// Until everybody has heard everything that all others have said. \return how many lines were heard
    std::size_t talk_to_the_end();

    /// Until so many lines were heard in all.
    void talk_until_heard(std::size_t lines);

    /// The server ends: listens until each stream has ended, one way or the other. A stream that is cut may end in the
    /// middle of a line, and in no other place than that.
    void listen_until_ended();

private:
    class member;

    bool step(bool talking);

    std::vector<std::unique_ptr<member>> members_;
    std::size_t talkers_;
    std::size_t lines_;
    std::size_t heard_ = 0;
};

} // namespace chat
