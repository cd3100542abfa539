#pragma once
/// \file
/// Errors as every program of this repository reports them: the call, the code, the
/// system's text.

#include <winsock2.h>

#include <windows.h>

#include <stdexcept>
#include <string>
#include <string_view>

namespace iocp {

/// The system's own text for an error code, in one line and without its full stop.
/// Winsock codes (10000 and up) and Win32 codes share one number space, so one function
/// serves both.
///
/// \param code what WSAGetLastError() or GetLastError() returned
///
/// \return the text, in the code page of the console if stderr is one and in UTF-8
/// otherwise; where the system has none (Wine, for many codes) a short one of our own
///
/// \see FormatMessageW
std::string error_text(unsigned long code);

/// One line for a person: `bind 127.0.0.1:6000: 10048 Only one usage of each socket address
/// ...`.
///
/// \param code what WSAGetLastError() or GetLastError() returned
///
/// \param call the function that failed
///
/// \param detail what it was asked to do (an address, a path); may be empty
std::string error_line(unsigned long code, std::string_view call,
                       std::string_view detail = {});

/// A call without which the program cannot go on has failed. what() is an error_line().
class call_error : public std::runtime_error {
public:
    call_error(unsigned long code, std::string_view call, std::string_view detail = {})
        : std::runtime_error{error_line(code, call, detail)}, code_{code} {}

    /// The code that the call left behind.
    unsigned long code() const noexcept { return code_; }

private:
    unsigned long code_;
};

/// Throws a call_error. The code comes first so that it is read before anything else can
/// overwrite it: `iocp::fail(::WSAGetLastError(), "bind", where.text());`
[[noreturn]] void fail(unsigned long code, std::string_view call,
                       std::string_view detail = {});

/// Prints an error_line() on stderr and goes on: for failures that cost one client and not
/// the server.
void report(unsigned long code, std::string_view call,
            std::string_view detail = {}) noexcept;

} // namespace iocp
