#include "common/event_echo.hpp"

#include "common/error.hpp"
#include "common/overlapped_socket.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>

namespace iocp {

event_echo::~event_echo() {
    cancel_and_close(socket_);
    if (in_flight_) {
        const WSAEVENT ended = event_.get();
        if (::WSAWaitForMultipleEvents(1, &ended, TRUE, WSA_INFINITE, FALSE) ==
            WSA_WAIT_FAILED) {
            report(::WSAGetLastError(), "WSAWaitForMultipleEvents");
            std::abort(); // it is still lent: to free it would be worse
        }
        // back: overlapped_, buffer_
    }
}

void event_echo::start(std::string_view first_data) noexcept {
    try {
        end_ = static_cast<ULONG>(first_data.size());
        std::memcpy(buffer_, first_data.data(), first_data.size());
        if (first_data.empty()) {
            receive();
        } else {
            send_rest();
        }
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        finished_ = true;
    }
}

void event_echo::complete() noexcept {
    try {
        next();
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        finished_ = true;
    }
}

void event_echo::prepare() {
    if (!::WSAResetEvent(event_.get())) {
        fail(::WSAGetLastError(), "WSAResetEvent");
    }
    overlapped_ = {};
    overlapped_.hEvent = event_.get();
}

void event_echo::check_submitted(int returned, const char* call) {
    in_flight_ = true;
    if (returned == SOCKET_ERROR) {
        const int code = ::WSAGetLastError();
        if (code != WSA_IO_PENDING) {
            in_flight_ = false;
            // back: overlapped_, buffer_: at once, nothing was submitted
            fail(code, call);
        }
    }
}

void event_echo::receive() {
    prepare();
    receiving_ = true;
    WSABUF room{buffer_size, buffer_};
    DWORD flags = 0;
    // lent: overlapped_, buffer_ -> kernel until WSAGetOverlappedResult gives a result that
    // is not 996
    check_submitted(
        ::WSARecv(socket_.get(), &room, 1, nullptr, &flags, &overlapped_, nullptr),
        "WSARecv");
}

void event_echo::send_rest() {
    prepare();
    receiving_ = false;
    WSABUF rest{end_ - begin_, buffer_ + begin_};
    // lent: overlapped_, buffer_ -> kernel until WSAGetOverlappedResult gives a result that
    // is not 996
    check_submitted(::WSASend(socket_.get(), &rest, 1, nullptr, 0, &overlapped_, nullptr),
                    "WSASend");
}

void event_echo::next() {
    DWORD bytes = 0;
    DWORD flags = 0;
    const BOOL good =
        ::WSAGetOverlappedResult(socket_.get(), &overlapped_, &bytes, FALSE, &flags);
    const int code = good ? 0 : ::WSAGetLastError();
    if (code == WSA_IO_INCOMPLETE) {
        return;
    }
    in_flight_ = false;
    // back: overlapped_, buffer_
    if (code != 0) {
        fail(code, receiving_ ? "WSARecv" : "WSASend");
    }

    if (!receiving_) {
        begin_ += bytes;
        if (begin_ < end_) {
            send_rest();
        } else {
            receive();
        }
    } else if (bytes > 0) {
        begin_ = 0;
        end_ = bytes;
        send_rest();
    } else {
        if (::shutdown(socket_.get(), SD_SEND) == SOCKET_ERROR) {
            fail(::WSAGetLastError(), "shutdown");
        }
        finished_ = true;
    }
}

} // namespace iocp
