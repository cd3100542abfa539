#pragma once
// What a coroutine waits for: an overlapped operation that is its own awaiter. It lives in
// the coroutine's frame, as a local variable would.

#include "scope.hpp"

#include "common/error.hpp"
#include "common/operation.hpp"
#include "common/unique.hpp"

#include <winsock2.h>

#include <atomic>
#include <coroutine>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <type_traits>
#include <utility>

using iocp::result;

// What co_await throws when the coroutine is asked to stop. No error: nobody reports it.
struct stopped : std::exception {};

// [operation]
class operation : public OVERLAPPED, public cancellable {
public:
    operation(const operation&) = delete;
    operation& operator=(const operation&) = delete;

    // [awaiter]
    bool await_ready() const noexcept { return false; }

    // The frame stands still from here on, but this thread is still inside it. So this only
    // says what is to be submitted, as soon as the thread has left.
    void await_suspend(std::coroutine_handle<> frame) noexcept {
        frame_ = frame;
        next_ = std::exchange(waiting, this);
    }

    DWORD await_resume() const {
        if (ended_.error != ERROR_SUCCESS && all_.stop_requested()) {
            throw stopped{};
        }
        if (ended_.error != ERROR_SUCCESS) {
            iocp::fail(ended_.error, name_);
        }
        return ended_.bytes;
    }
    // [/awaiter]

    // To be called by each thread that has run coroutines, when it has left them.
    static void submit_waiting() noexcept {
        while (waiting != nullptr) {
            std::exchange(waiting, waiting->next_)->submit();
        }
    }

    // For the worker that has its packet.
    void dequeued(result ended) noexcept {
        ended_ = ended;
        leave();
    }

protected:
    operation(scope& all, const iocp::unique_socket& socket, const char* name) noexcept
        : OVERLAPPED{}, all_{all}, socket_{socket.get()}, name_{name} {}

    // [destructor]
    // Whoever destroys the frame destroys this. It may not be lent then: no program can go
    // on in which the system writes to memory that is somebody else's.
    ~operation() {
        if (lent_) {
            std::fprintf(stderr, "%s is in flight, and its frame is destroyed\n", name_);
            std::abort();
        }
    }
    // [/destructor]

    SOCKET socket() const noexcept { return socket_; }

    // The one call. 0, or its code.
    virtual int call() noexcept = 0;

private:
    // [submit]
    // Two have to do with the frame now: this thread, until the end of this function, and
    // whoever takes the packet. The last of the two lets the coroutine go on.
    void submit() noexcept {
        static_cast<OVERLAPPED&>(*this) = {};
        holders_ = 2;
        lent_ = true;
        all_.enter(*this); // from here on a request to stop finds it
        const int code = all_.stop_requested() ? ERROR_OPERATION_ABORTED : call();
        if (code != 0 && code != WSA_IO_PENDING) {
            ended_ = {0, static_cast<DWORD>(code)};
            go_on(); // there is no packet to wait for
            return;
        }
        if (all_.stop_requested()) {
            cancel(); // the request may have come when there was nothing to cancel yet
        }
        leave();
    }

    void leave() noexcept {
        if (--holders_ == 0) {
            go_on();
        }
    }

    void go_on() noexcept {
        all_.leave(*this); // waits if it is just being cancelled
        lent_ = false;
        // back: this operation and its buffer
        frame_.resume(); // when it returns the frame may be gone, and this object with it
    }
    // [/submit]

    // [cancel]
    // The operation comes back with a failure, and the coroutine ends. All that is done
    // with the socket after this is to close it.
    void cancel() noexcept override {
        if (!::CancelIoEx(reinterpret_cast<HANDLE>(socket_), this)) {
            const DWORD code = ::GetLastError();
            if (code != ERROR_NOT_FOUND) { // 1168: not in flight yet, or ended already
                iocp::report(code, "CancelIoEx");
            }
        }
    }
    // [/cancel]

    static inline thread_local operation* waiting = nullptr;

    scope& all_;
    const SOCKET socket_;
    const char* const name_;
    std::coroutine_handle<> frame_;
    operation* next_ = nullptr; // in the list of those that this thread is to submit
    std::atomic<int> holders_{0};
    bool lent_ = false;
    result ended_;
};
// [/operation]
static_assert(std::is_base_of_v<OVERLAPPED, operation>,
              "static_cast leads from the packet back to the operation");

// [receive]
class receive_some final : public operation {
public:
    receive_some(scope& all, const iocp::unique_socket& socket, char* buffer,
                 ULONG room) noexcept
        : operation{all, socket, "WSARecv"}, room_{room, buffer} {}

private:
    int call() noexcept override {
        DWORD flags = 0;
        // lent: this, the buffer -> kernel until its packet is dequeued
        return ::WSARecv(socket(), &room_, 1, nullptr, &flags, this, nullptr) == 0
                   ? 0
                   : ::WSAGetLastError();
    }

    WSABUF room_;
};
// [/receive]

// [send]
class send_some final : public operation {
public:
    send_some(scope& all, const iocp::unique_socket& socket, char* bytes,
              ULONG count) noexcept
        : operation{all, socket, "WSASend"}, bytes_{count, bytes} {}

private:
    int call() noexcept override {
        // lent: this, the bytes -> kernel until its packet is dequeued
        return ::WSASend(socket(), &bytes_, 1, nullptr, 0, this, nullptr) == 0
                   ? 0
                   : ::WSAGetLastError();
    }

    WSABUF bytes_;
};
// [/send]
