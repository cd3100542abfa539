#pragma once
// The encore pool: a connection whose ends come from the system's thread pool.

#include "common/error.hpp"
#include "common/event.hpp"
#include "common/overlapped_socket.hpp"
#include "common/skip_mode.hpp"
#include "common/unique.hpp"

#include <winsock2.h>

#include <list>
#include <mutex>
#include <utility>

// [owners]
// What ties a socket to the pool, and a function that can be put into the pool's queue. The
// end of each waits until no callback of it runs or is still to come. So neither may end
// inside a callback of its own, and the socket is closed before.
struct pool_io_policy {
    using type = PTP_IO;
    static constexpr type none = nullptr;
    static void close(type io) noexcept {
        ::WaitForThreadpoolIoCallbacks(io, FALSE);
        ::CloseThreadpoolIo(io);
    }
};
struct pool_work_policy {
    using type = PTP_WORK;
    static constexpr type none = nullptr;
    static void close(type work) noexcept {
        ::WaitForThreadpoolWorkCallbacks(work, FALSE);
        ::CloseThreadpoolWork(work);
    }
};
using unique_pool_io = iocp::unique_resource<pool_io_policy>;
using unique_pool_work = iocp::unique_resource<pool_work_policy>;
// [/owners]

struct connection;

// [departures]
// Those that are done. Workers of the pool put a connection in; the main thread takes it
// out and destroys it, which a worker may not.
class departures {
public:
    void add(connection& c) noexcept;
    connection* take_all();
    WSAEVENT event() const noexcept { return event_.get(); }

private:
    iocp::unique_event event_ = iocp::make_event();
    std::mutex lock_;
    connection* first_ = nullptr;
};
// [/departures]

// [connection]
// One operation at a time, so one callback at a time. The lock is for the end of the
// server: the main thread closes the socket, and no worker may be inside a call on it then.
struct connection {
    connection(iocp::unique_socket accepted, departures& done);
    ~connection();
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    std::mutex lock;
    iocp::unique_socket socket;
    const bool skip; // what ends at once brings no callback
    unique_pool_io io;
    unique_pool_work turn;
    OVERLAPPED overlapped{};
    char buffer[4096];
    ULONG begin = 0; // received and not yet sent: buffer[begin, end)
    ULONG end = 0;
    bool receiving = false;
    departures& left;
    connection* next = nullptr; // in `left`
    std::list<connection>::iterator place{};
};

inline void departures::add(connection& c) noexcept {
    const std::lock_guard guard{lock_};
    c.next = std::exchange(first_, &c);
    if (!::WSASetEvent(event_.get())) {
        iocp::report(::WSAGetLastError(), "WSASetEvent");
    }
}

inline connection* departures::take_all() {
    const std::lock_guard guard{lock_};
    if (!::WSAResetEvent(event_.get())) {
        iocp::fail(::WSAGetLastError(), "WSAResetEvent");
    }
    return std::exchange(first_, nullptr);
}
// [/connection]

// [submit]
// [receive]
// Told by the pool, or not? Start was said before the submit. If no callback will come,
// that has to be taken back.
inline bool ended_at_once(connection& c, int returned, const char* call) noexcept {
    const int code = returned == 0 ? 0 : ::WSAGetLastError();
    if (code == WSA_IO_PENDING || (code == 0 && !c.skip)) {
        return false; // a callback will come, or waits already for the lock that we hold
    }
    ::CancelThreadpoolIo(c.io.get());
    // back: c.overlapped, c.buffer: at once
    if (code != 0) { // this client is lost, the others are not
        iocp::report(code, call);
        c.left.add(c);
    }
    return code == 0;
}

inline void receive(connection& c) noexcept {
    c.receiving = true;
    c.overlapped = {};
    WSABUF room{sizeof c.buffer, c.buffer};
    DWORD bytes = 0;
    DWORD flags = 0;
    ::StartThreadpoolIo(c.io.get());
    // lent: c.overlapped, c.buffer -> kernel until `ended` is entered; in skip mode until
    // the call returns success
    const int returned =
        ::WSARecv(c.socket.get(), &room, 1, &bytes, &flags, &c.overlapped, nullptr);
    if (ended_at_once(c, returned, "WSARecv")) {
        c.end = bytes;
        ::SubmitThreadpoolWork(c.turn.get()); // others first: a turn, as in chapter 14
    }
}
// [/receive]

// \return whether all of it, or a part, was sent at once
inline bool send_rest(connection& c) noexcept {
    c.receiving = false;
    c.overlapped = {};
    WSABUF rest{c.end - c.begin, c.buffer + c.begin};
    DWORD bytes = 0;
    ::StartThreadpoolIo(c.io.get());
    // lent: c.overlapped, c.buffer -> kernel until `ended` is entered; in skip mode until
    // the call returns success
    const int returned =
        ::WSASend(c.socket.get(), &rest, 1, &bytes, 0, &c.overlapped, nullptr);
    const bool at_once = ended_at_once(c, returned, "WSASend");
    c.begin += at_once ? bytes : 0;
    return at_once;
}
// [/submit]

// [go_on]
// The lock is held.
inline void echo(connection& c) noexcept {
    while (c.begin < c.end) {
        if (!send_rest(c)) {
            return;
        }
    }
    c.begin = 0;
    receive(c);
}

inline void go_on(connection& c, DWORD bytes) noexcept {
    if (c.receiving && bytes == 0) { // the client sends no more
        if (::shutdown(c.socket.get(), SD_SEND) == SOCKET_ERROR) {
            iocp::report(::WSAGetLastError(), "shutdown");
        }
        c.left.add(c);
        return;
    }
    if (c.receiving) {
        c.end = bytes;
    } else {
        c.begin += bytes;
    }
    echo(c);
}
// [/go_on]

// [callbacks]
// On some thread of the pool, as soon as one has time. It may come before the submit has
// returned, and waits for the lock then.
inline void CALLBACK ended(PTP_CALLBACK_INSTANCE, void* context, void*, ULONG error,
                           ULONG_PTR bytes, PTP_IO) noexcept {
    auto& c = *static_cast<connection*>(context);
    // back: c.overlapped, c.buffer
    const std::lock_guard guard{c.lock};
    if (!c.socket) {
        return; // closed: the main thread waits for this callback
    }
    if (error != ERROR_SUCCESS) { // this client is lost, the others are not
        iocp::report(error, c.receiving ? "WSARecv" : "WSASend");
        c.left.add(c);
        return;
    }
    go_on(c, static_cast<DWORD>(bytes));
}

// After a receive that has ended at once: its turn.
inline void CALLBACK take_turn(PTP_CALLBACK_INSTANCE, void* context, PTP_WORK) noexcept {
    auto& c = *static_cast<connection*>(context);
    const std::lock_guard guard{c.lock};
    if (c.socket) {
        go_on(c, c.end);
    }
}
// [/callbacks]

// [create]
// From here on the ends of the socket's operations go to the pool, for as long as it is
// open.
inline unique_pool_io make_pool_io(connection& c) {
    unique_pool_io io{
        ::CreateThreadpoolIo(reinterpret_cast<HANDLE>(c.socket.get()), ended, &c, nullptr)};
    if (!io) {
        iocp::fail(::GetLastError(), "CreateThreadpoolIo");
    }
    return io;
}

inline unique_pool_work make_pool_work(connection& c) {
    unique_pool_work work{::CreateThreadpoolWork(take_turn, &c, nullptr)};
    if (!work) {
        iocp::fail(::GetLastError(), "CreateThreadpoolWork");
    }
    return work;
}

inline connection::connection(iocp::unique_socket accepted, departures& done)
    : socket{std::move(accepted)}, skip{iocp::turn_on_skip_mode(socket.get())},
      io{make_pool_io(*this)}, turn{make_pool_work(*this)}, left{done} {}
// [/create]

// [destroy]
// On the main thread. The wait is without the lock, which the callbacks want.
inline connection::~connection() {
    {
        const std::lock_guard guard{lock};
        iocp::cancel_and_close(socket); // what is in flight ends
    }
    io.reset(); // waits until that is back, and the callback has returned
    turn.reset();
}
// [/destroy]
