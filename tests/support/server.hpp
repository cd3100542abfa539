#pragma once

#include "tests/support/child.hpp"
#include "tests/support/endpoint.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace support {

/// What a program that ran to its end left behind.
struct finished_program {
    DWORD status = 0;
    std::string out;
    std::string err;
};

/// A variable in the environment of this process, for the processes that are made while this object lives.
class variable_for_children {
public:
    variable_for_children(const char* name, const std::string& value);
    ~variable_for_children();
    variable_for_children(const variable_for_children&) = delete;
    variable_for_children& operator=(const variable_for_children&) = delete;

private:
    const char* name_;
};

/// Runs the chapter's program with exactly these arguments until it ends by itself. A failure when it does not.
finished_program run_to_end(const std::vector<std::wstring>& arguments);

/// The same for any program.
finished_program run_to_end(const std::filesystem::path& program, const std::vector<std::wstring>& arguments);

/// The chapter's server, started with `--port 0` on a port that the system chose, and ended with this object.
///
/// It runs through the helper ctrl_c, which is what can press Ctrl+C for it. Its output is read all the time.
class server {
public:
    /// Starts it and waits for its first line, `listening on ADDRESS:PORT`. A failure when that does not come.
    /// \param arguments in addition to `--port 0` and to what the command line of the test gave
    explicit server(const std::vector<std::wstring>& arguments = {});
    ~server();

    server(const server&) = delete;
    server& operator=(const server&) = delete;

    /// Where it listens.
    const endpoint& where() const { return where_; }

    /// Presses Ctrl+C and does not wait.
    void press_ctrl_c();

    /// \return its exit status; nothing when it still runs after `limit`
    std::optional<DWORD> wait(std::chrono::milliseconds limit = patience);

    /// What it wrote so far; all of it after wait() gave a status. Its first line is the one with the address.
    std::string out() const;
    std::string err() const;

    /// Waits until it writes a line that begins so. \return that line; nothing when none comes
    std::optional<std::string> line_beginning(std::string_view start) const;

    /// The same for its standard error.
    std::optional<std::string> error_beginning(std::string_view start) const;

    /// Memory that it holds for itself, in bytes (the commit charge, also counting what is paged out).
    std::size_t memory() const;

    /// How many handles it has open.
    DWORD handles() const;

    /// How many threads it has of its own. Not those that the system has put there: on Windows a young process has some
    /// of its loader, which go after a while.
    std::size_t threads() const;

protected:
    /// \param program another one than the chapter's
    server(const std::filesystem::path& program, const std::vector<std::wstring>& arguments) {
        start(program, arguments);
    }

    /// \param environment lives until the program has been made
    server(const std::filesystem::path& program, const std::vector<std::wstring>& arguments,
           const variable_for_children& environment);

    DWORD process_id() const { return process_id_; }

private:
    void start(const std::filesystem::path& program, const std::vector<std::wstring>& arguments);

    std::unique_ptr<child> helper_;
    DWORD process_id_ = 0;
    HANDLE process_ = nullptr;
    endpoint where_;
};

/// What a case about the second program of a chapter's folder says: `TEST_CASE("..." * needs_second_program())`. It is
/// skipped when a reader's own server is tested. After doctest::skip, if that is there, too.
struct needs_second_program {
    void fill(doctest::detail::TestCase& state) const; ///< what doctest calls
};

/// A second program of the chapter's folder, by its name, in the same way.
class second_program : public server {
public:
    explicit second_program(const std::string& name, const std::vector<std::wstring>& arguments = {});
};

/// Presses Ctrl+C and checks that the server ends as it should. Of a reader's own server it is asked only when that has
/// been declared to have `ctrl-c`.
void check_stops(server& running);

/// Checks that a server that was told to stop ends within `limit`, with exit status 0. (For chapter 01, which has no
/// handler for Ctrl+C, the status is the system's.)
void check_ends(server& running, std::chrono::milliseconds limit = patience);

} // namespace support
