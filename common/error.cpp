#include "common/error.hpp"

#include <io.h>

#include <algorithm>
#include <cstdio>
#include <iterator>

namespace iocp {
namespace {

struct known_text {
    unsigned long code;
    const char* text;
};

// Windows has a text for each of these. Wine 8 and 10 have none, and a bare number teaches
// nobody.
constexpr known_text texts_missing_under_wine[] = {
    {WAIT_TIMEOUT, "wait timed out"},
    {676, "handles were closed"}, // ERROR_HANDLES_CLOSED, which older headers lack
    {ERROR_ABANDONED_WAIT_0, "the port was closed while it was waited for"},
    {WSAEADDRINUSE, "address already in use"},
    {WSAEADDRNOTAVAIL, "address not available"},
    {WSAEAFNOSUPPORT, "address family not supported"},
    {WSAECONNABORTED, "connection aborted"},
    {WSAEHOSTUNREACH, "no way to that machine"},
    {WSAEINPROGRESS, "a blocking call is in progress"},
    {WSAEMFILE, "too many open sockets"},
    {WSAEMSGSIZE, "message longer than the buffer"},
    {WSAEISCONN, "connected already"},
    {WSAENETDOWN, "the network has failed"},
    {WSAENETRESET, "keep-alive found the connection gone"},
    {WSAENETUNREACH, "network unreachable"},
    {WSAENOBUFS, "no buffer space"},
    {WSAENOPROTOOPT, "no such option"},
    {WSAENOTCONN, "not connected"},
    {WSAENOTSOCK, "not a socket"},
    {WSAEOPNOTSUPP, "operation not supported"},
    {WSAESHUTDOWN, "socket was shut down"},
    {WSAETIMEDOUT, "timed out"},
    {WSAEWOULDBLOCK, "would have to wait"},
    {WSANOTINITIALISED, "WSAStartup was not called"},
    {WSASYSNOTREADY, "the network is not ready"},
    {WSAVERNOTSUPPORTED, "no such version of Winsock"},
};

// A console shows bytes by a code page of its own; files and pipes get UTF-8.
UINT code_page_of_stderr() {
    const UINT page = _isatty(_fileno(stderr)) != 0 ? ::GetConsoleOutputCP() : 0;
    return page == 0 ? static_cast<UINT>(CP_UTF8) : page;
}

} // namespace

std::string error_text(unsigned long code) {
    wchar_t wide[512];
    const DWORD length = ::FormatMessageW(
        FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS |
            FORMAT_MESSAGE_MAX_WIDTH_MASK,
        nullptr, code, 0, wide, static_cast<DWORD>(std::size(wide)), nullptr);
    if (length == 0) {
        const auto known = std::find_if(
            std::begin(texts_missing_under_wine), std::end(texts_missing_under_wine),
            [code](const known_text& entry) { return entry.code == code; });
        return known == std::end(texts_missing_under_wine) ? "unknown error" : known->text;
    }
    char narrow[3 * std::size(wide)];
    const int bytes = ::WideCharToMultiByte(
        code_page_of_stderr(), 0, wide, static_cast<int>(length), narrow,
        static_cast<int>(std::size(narrow)), nullptr, nullptr);
    std::string text(narrow, static_cast<std::size_t>(bytes));
    const std::size_t last = text.find_last_not_of(" \r\n.");
    text.resize(last == std::string::npos ? 0 : last + 1);
    return text;
}

std::string error_line(unsigned long code, std::string_view call, std::string_view detail) {
    std::string line{call};
    if (!detail.empty()) {
        line.append(" ").append(detail);
    }
    return line.append(": ")
        .append(std::to_string(code))
        .append(" ")
        .append(error_text(code));
}

void fail(unsigned long code, std::string_view call, std::string_view detail) {
    throw call_error{code, call, detail};
}

void report(unsigned long code, std::string_view call, std::string_view detail) noexcept {
    try {
        std::fprintf(stderr, "%s\n", error_line(code, call, detail).c_str());
    } catch (const std::exception&) {
        std::fprintf(stderr, "error %lu\n",
                     code); // no memory for the whole line: the number alone
    }
}

} // namespace iocp
