#include "pair.hpp"

#include "common/error.hpp"
#include "common/overlapped_socket.hpp"
#include "common/winsock.hpp"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <utility>
#include <vector>

namespace programs {

namespace {

SOCKET listening_socket(int family) {
    iocp::unique_socket socket = iocp::overlapped_socket(family);
    const iocp::address any_port{family == AF_INET6 ? "::1" : "127.0.0.1", 0};
    check(::bind(socket.get(), any_port.get(), any_port.length()) == 0, "bind");
    check(::listen(socket.get(), SOMAXCONN) == 0, "listen");
    return socket.release();
}

void close(SOCKET socket) {
    if (socket != INVALID_SOCKET && ::closesocket(socket) == SOCKET_ERROR) {
        iocp::report(::WSAGetLastError(), "closesocket");
    }
}

bool harm_done = false;

void print(const std::string& sentence) {
    std::printf("%s\n", sentence.c_str());
    std::fflush(stdout);
}

HANDLE make_event() {
    const HANDLE event = ::CreateEventW(nullptr, TRUE, FALSE, nullptr);
    check(event != nullptr, "CreateEventW");
    return event;
}

} // namespace

listener::listener(int family) : socket{listening_socket(family)}, where{iocp::local_address(socket)} {}

listener::~listener() {
    close(socket);
}

SOCKET listener::connect() const {
    iocp::unique_socket connected = iocp::overlapped_socket(where.family());
    check(::connect(connected.get(), where.get(), where.length()) == 0, "connect");
    return connected.release();
}

pair::pair() : ours{INVALID_SOCKET}, theirs{INVALID_SOCKET} {
    const listener door{AF_INET};
    theirs = door.connect();
    ours = ::accept(door.socket, nullptr, nullptr);
    check(ours != INVALID_SOCKET, "accept");
    for (const SOCKET socket : {ours, theirs}) {
        for (const int direction : {SO_RCVTIMEO, SO_SNDTIMEO}) {
            check(::setsockopt(socket, SOL_SOCKET, direction, reinterpret_cast<const char*>(&patience_ms),
                               sizeof patience_ms) == 0,
                  "setsockopt");
        }
    }
}

// By a reset, since a program may leave unread what it has sent to itself.
pair::~pair() {
    for (SOCKET* const one : {&ours, &theirs}) {
        if (*one != INVALID_SOCKET) {
            reset(*one);
        }
    }
}

void check(bool good, const char* call) {
    if (!good) {
        iocp::fail(::GetLastError(), call);
    }
}

void check_submitted(int returned, const char* call) {
    check(returned == 0 || ::WSAGetLastError() == WSA_IO_PENDING, call);
}

iocp::unique_handle port_of(const pair& sockets) {
    iocp::unique_handle port = iocp::make_port(0);
    iocp::associate(sockets.ours, port, 0);
    return port;
}

OVERLAPPED* dequeue(const iocp::unique_handle& port) {
    const iocp::packet packet = iocp::dequeue(port, patience_ms);
    if (packet.overlapped == nullptr) {
        iocp::fail(packet.ended.error, "GetQueuedCompletionStatus");
    }
    return packet.overlapped;
}

void say(SOCKET from, std::string_view words) {
    const int length = static_cast<int>(words.size());
    check(::send(from, words.data(), length, 0) == length, "send");
}

void make_readable(const pair& sockets) {
    say(sockets.theirs, "hello");
    WSAPOLLFD readable{sockets.ours, POLLRDNORM, 0};
    const int count = ::WSAPoll(&readable, 1, static_cast<INT>(patience_ms));
    if (count != 1) {
        iocp::fail(count == 0 ? WAIT_TIMEOUT : ::WSAGetLastError(), "WSAPoll");
    }
}

void wait_for(HANDLE object) {
    const DWORD outcome = ::WaitForSingleObject(object, patience_ms);
    if (outcome != WAIT_OBJECT_0) {
        iocp::fail(outcome == WAIT_FAILED ? ::GetLastError() : outcome, "WaitForSingleObject");
    }
}

void wait_until_ended(const OVERLAPPED& operation) {
    const ULONGLONG until = ::GetTickCount64() + patience_ms;
    while (!HasOverlappedIoCompleted(&operation)) {
        if (::GetTickCount64() > until) {
            iocp::fail(WAIT_TIMEOUT, "HasOverlappedIoCompleted");
        }
        ::Sleep(1);
    }
}

void reset(SOCKET& socket) {
    const linger at_once{1, 0};
    check(::setsockopt(socket, SOL_SOCKET, SO_LINGER, reinterpret_cast<const char*>(&at_once), sizeof at_once) == 0,
          "setsockopt");
    close(std::exchange(socket, INVALID_SOCKET));
}

std::size_t count_to_the_end(SOCKET from) {
    std::size_t count = 0;
    std::vector<char> room(65'536);
    for (;;) {
        const int got = ::recv(from, room.data(), static_cast<int>(room.size()), 0);
        if (got <= 0) {
            check(got == 0 || ::WSAGetLastError() == WSAECONNRESET || ::WSAGetLastError() == WSAECONNABORTED, "recv");
            return count;
        }
        count += static_cast<std::size_t>(got);
    }
}

void harm(const std::string& sentence) {
    harm_done = true;
    print(sentence);
}

void well(const std::string& sentence) {
    print(sentence);
}

held_thread::held_thread(std::function<void()> work)
    : work_{std::move(work)}, started_{make_event()}, inside_{make_event()}, go_on_{make_event()},
      thread_{::CreateThread(nullptr, 0, run, this, 0, nullptr)} {
    check(thread_ != nullptr, "CreateThread");
}

held_thread::~held_thread() {
    ::SetEvent(go_on_);
    if (::WaitForSingleObject(thread_, 2 * patience_ms) != WAIT_OBJECT_0) {
        std::fprintf(stderr, "a thread does not end\n");
        std::_Exit(1); // it still uses this object
    }
    for (const HANDLE handle : {thread_, go_on_, inside_, started_}) {
        ::CloseHandle(handle);
    }
}

void held_thread::hold() {
    wait_for(started_); // a procedure that is queued earlier runs before the thread's own function
    check(::QueueUserAPC(stand_still, thread_, reinterpret_cast<ULONG_PTR>(this)) != 0, "QueueUserAPC");
    wait_for(inside_);
}

void held_thread::let_go() {
    check(::SetEvent(go_on_), "SetEvent");
}

DWORD WINAPI held_thread::run(void* self) {
    auto* const me = static_cast<held_thread*>(self);
    try {
        check(::SetEvent(me->started_), "SetEvent");
        me->work_();
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
    }
    return 0;
}

void CALLBACK held_thread::stand_still(ULONG_PTR self) {
    const auto* const me = reinterpret_cast<const held_thread*>(self);
    ::SetEvent(me->inside_);
    ::WaitForSingleObject(me->go_on_, patience_ms);
}

int run(int argc, char** argv, std::initializer_list<choice> choices) {
    std::string wanted;
    for (int index = 1; index < argc; ++index) {
        wanted += (index > 1 ? " " : "") + std::string{argv[index]};
    }
    for (const choice& candidate : choices) {
        if (candidate.arguments == wanted) {
            try {
                const iocp::winsock winsock;
                candidate.run();
                return harm_done ? 3 : 0;
            } catch (const std::exception& problem) {
                std::fprintf(stderr, "%s\n", problem.what());
                return 1;
            }
        }
    }
    for (const choice& candidate : choices) {
        std::fprintf(stderr, "%s %s\n", argv[0], std::string{candidate.arguments}.c_str());
    }
    return 2;
}

} // namespace programs
