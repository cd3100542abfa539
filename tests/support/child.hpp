#pragma once

#include "tests/support/deadline.hpp"

#include <winsock2.h>

#include <windows.h>

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace support {

/// Reads one end of a pipe to its end in a thread of its own, so that the writer never blocks, and keeps the text.
class drained_pipe {
public:
    /// Owns `read_end` from here on.
    explicit drained_pipe(HANDLE read_end);

    /// Waits for the end of the pipe: every writer must be gone, or going.
    ~drained_pipe();

    /// Waits for the end of the pipe and reads the rest. Every writer must be gone, or going.
    void finish();

    drained_pipe(const drained_pipe&) = delete;
    drained_pipe& operator=(const drained_pipe&) = delete;

    /// All that came so far.
    std::string text() const;

    /// Waits for line number `index` (from 0) and returns it without its end; nothing when the pipe ended or time is
    /// up.
    std::optional<std::string> line(std::size_t index, deadline until) const;

    /// Waits until a line begins with `start`. \return that line; nothing when the pipe ended or time is up
    std::optional<std::string> line_beginning(std::string_view start, deadline until) const;

private:
    void read_to_end();

    HANDLE read_end_;
    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    std::string text_;
    bool ended_ = false;
    std::thread reader_;
};

/// A process with pipes on all three standard handles, in a job of its own: neither it nor a process that it started
/// outlives this object, nor the test program, however that ends.
class child {
public:
    /// \param flags for CreateProcessW, such as CREATE_NO_WINDOW
    child(const std::wstring& command_line, DWORD flags);
    ~child();

    child(const child&) = delete;
    child& operator=(const child&) = delete;

    /// Writes to its standard input.
    void write(std::string_view text);

    /// Waits until it has ended by itself. What it left running is ended then, and its output read to the end.
    /// \return the exit status; nothing when time is up first
    std::optional<DWORD> wait(deadline until);

    /// Ends the process and all that it started, and reads their output to its end.
    void end_all();

    const drained_pipe& out() const { return *out_; }
    const drained_pipe& err() const { return *err_; }

    /// The process that was started, for a test that waits for it alone or ends it alone. This object closes it.
    HANDLE process() const { return process_; }

private:
    HANDLE job_ = nullptr;
    HANDLE process_ = nullptr;
    HANDLE write_end_ = nullptr;
    std::optional<drained_pipe> out_;
    std::optional<drained_pipe> err_;
};

/// A command line that CommandLineToArgvW and the C runtime take apart into the same words again.
std::wstring quoted(const std::vector<std::wstring>& words);

} // namespace support
