#pragma once
/// \file
/// Records made by hand, as a server makes them that accepts one client and echoes one message: at least one of each
/// kind.

#include "common/watch/record.hpp"

#include <winsock2.h>

#include <windows.h>

#include <cstdint>
#include <utility>
#include <vector>

namespace story {

using namespace iocp::watch;

inline const std::vector<lent_memory> accept_memory{{0x1000, 32, true, true}, {0x1040, 88, false, true}};
inline const std::vector<lent_memory> receive_memory{{0x2000, 32, true, true}, {0x2040, 4096, false, true}};
inline const std::vector<lent_memory> send_memory{{0x3000, 32, true, true}, {0x2040, 5, false, false}};
inline const std::vector<lent_memory> event_memory{{0x4000, 32, true, true}, {0x4040, 7, false, true}};

/// Numbers its records and lets a quarter of a millisecond pass before each.
class teller {
public:
    void add(record what) {
        what.number = ++number_;
        what.nanoseconds = now_ += 250'000;
        what.began = what.began == 0 ? what.nanoseconds - 10'000 : what.began;
        told.push_back(std::move(what));
    }

    std::vector<record> told;

private:
    std::uint64_t number_ = 0;
    std::uint64_t now_ = 0;
};

/// From the start to the end.
inline std::vector<record> whole() {
    teller t;
    const auto thread = [&](std::uint32_t number, std::uint32_t id) {
        t.add({.kind = record_kind::thread, .thread = number, .os_thread = id});
    };
    const auto submit = [&](std::uint32_t number, const char* call, std::uint32_t socket, std::uint64_t operation,
                            told_by told, const std::vector<lent_memory>& memory, std::uint32_t accept_socket = 0) {
        t.add({.kind = record_kind::submit,
               .thread = number,
               .call = call,
               .socket = socket,
               .accept_socket = accept_socket,
               .operation = operation,
               .told = told,
               .overlapped = memory.front().address,
               .memory = memory});
    };
    const auto pending = [&](std::uint32_t number, const char* call, std::uint32_t socket, std::uint64_t operation) {
        t.add({.kind = record_kind::returned,
               .thread = number,
               .call = call,
               .socket = socket,
               .operation = operation,
               .result = outcome::pending});
    };

    t.add({.kind = record_kind::start, .text = "C:\\servers\\echo.exe"});
    thread(1, 204);
    t.add({.kind = record_kind::socket,
           .thread = 1,
           .call = "WSASocketW",
           .socket = 1,
           .result = outcome::ok,
           .family = AF_INET});
    t.add({.kind = record_kind::call, .thread = 1, .call = "bind", .socket = 1, .result = outcome::ok});
    t.add({.kind = record_kind::call, .thread = 1, .call = "listen", .socket = 1, .result = outcome::ok});
    t.add({.kind = record_kind::port, .thread = 1, .port = 1});
    t.add({.kind = record_kind::associate, .thread = 1, .socket = 1, .port = 1, .key = 0});
    t.add({.kind = record_kind::socket,
           .thread = 1,
           .call = "WSASocketW",
           .socket = 2,
           .result = outcome::ok,
           .family = AF_INET});

    // An accept, which is pending until a client comes.
    submit(1, "AcceptEx", 1, 1, told_by::port, accept_memory, 2);
    pending(1, "AcceptEx", 1, 1);
    thread(2, 208);
    t.add({.kind = record_kind::packet,
           .thread = 2,
           .call = "AcceptEx",
           .socket = 1,
           .port = 1,
           .operation = 1,
           .result = outcome::ok,
           .back = true,
           .memory = accept_memory});
    t.add({.kind = record_kind::associate, .thread = 2, .socket = 2, .port = 1, .key = 0x7FF6'1234'5678});

    // A receive whose packet is faster than the return of the call.
    submit(2, "WSARecv", 2, 2, told_by::port, receive_memory);
    t.add({.kind = record_kind::packet,
           .thread = 1,
           .call = "WSARecv",
           .socket = 2,
           .port = 1,
           .operation = 2,
           .result = outcome::ok,
           .bytes = 5,
           .key = 0x7FF6'1234'5678,
           .back = true,
           .memory = receive_memory});
    pending(2, "WSARecv", 2, 2);

    // A send that is done at once: first with a packet, then, in skip mode, without.
    submit(1, "WSASend", 2, 3, told_by::port, send_memory);
    t.add({.kind = record_kind::returned,
           .thread = 1,
           .call = "WSASend",
           .socket = 2,
           .operation = 3,
           .result = outcome::immediate,
           .bytes = 5});
    t.add({.kind = record_kind::packet,
           .thread = 2,
           .call = "WSASend",
           .socket = 2,
           .port = 1,
           .operation = 3,
           .result = outcome::ok,
           .bytes = 5,
           .key = 0x7FF6'1234'5678,
           .back = true,
           .memory = send_memory});
    t.add({.kind = record_kind::skip_mode, .thread = 2, .socket = 2});
    submit(2, "WSASend", 2, 4, told_by::port, send_memory);
    t.add({.kind = record_kind::returned,
           .thread = 2,
           .call = "WSASend",
           .socket = 2,
           .operation = 4,
           .result = outcome::immediate,
           .bytes = 5,
           .back = true,
           .memory = send_memory});

    // A receive that is cancelled, and one that fails at once.
    submit(2, "WSARecv", 2, 5, told_by::port, receive_memory);
    pending(2, "WSARecv", 2, 5);
    t.add({.kind = record_kind::cancel,
           .thread = 2,
           .call = "CancelIoEx",
           .socket = 2,
           .operation = 5,
           .result = outcome::ok,
           .lent = true});
    t.add({.kind = record_kind::packet,
           .thread = 1,
           .call = "WSARecv",
           .socket = 2,
           .port = 1,
           .operation = 5,
           .result = outcome::failed,
           .error = ERROR_OPERATION_ABORTED,
           .key = 0x7FF6'1234'5678,
           .back = true,
           .memory = receive_memory});
    submit(1, "WSARecv", 2, 6, told_by::port, receive_memory);
    t.add({.kind = record_kind::returned,
           .thread = 1,
           .call = "WSARecv",
           .socket = 2,
           .operation = 6,
           .result = outcome::failed,
           .error = WSAECONNRESET,
           .back = true,
           .memory = receive_memory});

    // Events and routines.
    t.add({.kind = record_kind::event_object, .thread = 1, .call = "WSACreateEvent", .object = 1});
    submit(1, "WSARecv", 2, 7, told_by::event, event_memory);
    pending(1, "WSARecv", 2, 7);
    t.add({.kind = record_kind::result,
           .thread = 1,
           .call = "WSAGetOverlappedResult",
           .socket = 2,
           .operation = 7,
           .result = outcome::incomplete,
           .error = WSA_IO_INCOMPLETE});
    t.add({.kind = record_kind::result,
           .thread = 1,
           .call = "WSARecv",
           .socket = 2,
           .operation = 7,
           .result = outcome::ok,
           .bytes = 0,
           .back = true,
           .memory = event_memory});
    t.add({.kind = record_kind::close_event, .thread = 1, .call = "WSACloseEvent", .object = 1});
    submit(1, "WSASend", 2, 8, told_by::routine, send_memory);
    pending(1, "WSASend", 2, 8);
    t.add({.kind = record_kind::routine,
           .thread = 1,
           .call = "WSASend",
           .socket = 2,
           .operation = 8,
           .result = outcome::ok,
           .bytes = 5,
           .back = true,
           .memory = send_memory});

    // Calls without an operation, the program's own packets, and the end.
    t.add({.kind = record_kind::call,
           .began = 1,
           .thread = 1,
           .call = "recv",
           .socket = 2,
           .result = outcome::ok,
           .bytes = 1});
    t.add({.kind = record_kind::call,
           .thread = 1,
           .call = "send",
           .socket = 2,
           .result = outcome::failed,
           .error = WSAEWOULDBLOCK});
    t.add({.kind = record_kind::wait_failed, .thread = 2, .port = 1, .result = outcome::failed, .error = WAIT_TIMEOUT});
    t.add({.kind = record_kind::post, .thread = 1, .port = 1, .key = 1});
    t.add({.kind = record_kind::packet, .thread = 2, .port = 1, .result = outcome::ok, .key = 1, .posted = true});
    t.add({.kind = record_kind::thread_end, .thread = 2});
    t.add({.kind = record_kind::close, .thread = 1, .call = "closesocket", .socket = 2, .result = outcome::ok});
    t.add({.kind = record_kind::close, .thread = 1, .call = "closesocket", .socket = 1, .result = outcome::ok});
    t.add({.kind = record_kind::close_port, .thread = 1, .port = 1});
    t.add({.kind = record_kind::end, .thread = 1, .dequeues = 6});
    return std::move(t.told);
}

} // namespace story
