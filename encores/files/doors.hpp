#pragma once
// The encore files, doors.hpp: the two kinds of clients. Those with a socket come from
// chapter 09's acceptor, those with a pipe from here.

#include "client.hpp"

#include "common/error.hpp"
#include "common/overlapped_socket.hpp"
#include "common/unique.hpp"

#include <winsock2.h>

#include <mswsock.h>

#include <cstdio>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

// [socket_client]
class socket_client final : public client {
public:
    // `transmit`: null where files are read and sent.
    socket_client(iocp::unique_socket accepted, service& all, LPFN_TRANSMITFILE transmit)
        : client{all}, socket_{std::move(accepted)}, transmit_{transmit} {}
    void close() noexcept override { iocp::cancel_and_close(socket_); }

private:
    bool is_open() const noexcept override { return static_cast<bool>(socket_); }
    int receive_into(char* room, DWORD bytes) noexcept override {
        WSABUF buffer{bytes, room};
        DWORD flags = 0;
        return outcome(
            ::WSARecv(socket_.get(), &buffer, 1, nullptr, &flags, this, nullptr));
    }
    int send_from(const char* from, DWORD bytes) noexcept override {
        WSABUF buffer{bytes, const_cast<char*>(from)};
        return outcome(::WSASend(socket_.get(), &buffer, 1, nullptr, 0, this, nullptr));
    }
    bool transmits() const noexcept override { return transmit_ != nullptr; }
    int transmit(HANDLE file, DWORD bytes,
                 TRANSMIT_FILE_BUFFERS* around) noexcept override {
        return code_of(transmit_(socket_.get(), file, bytes, 0, this, around, 0));
    }
    static int outcome(int returned) noexcept {
        return returned == 0 ? 0 : ::WSAGetLastError();
    }

    iocp::unique_socket socket_;
    const LPFN_TRANSMITFILE transmit_;
};
// [/socket_client]

class pipe_door;

// [pipe_client]
class pipe_client final : public client {
public:
    pipe_client(unique_file pipe, service& all, pipe_door& home)
        : client{all}, pipe_{std::move(pipe)}, home_{home} {
        step_ = step::connect;
    }
    void close() noexcept override { // as cancel_and_close does with a socket
        if (pipe_ && !::CancelIoEx(pipe_.get(), nullptr) &&
            ::GetLastError() != ERROR_NOT_FOUND) { // 1168: nothing was in flight
            iocp::report(::GetLastError(), "CancelIoEx");
        }
        pipe_.reset();
    }
    HANDLE pipe() const noexcept { return pipe_.get(); }

private:
    bool is_open() const noexcept override { return static_cast<bool>(pipe_); }
    int receive_into(char* room, DWORD bytes) noexcept override {
        return code_of(::ReadFile(pipe_.get(), room, bytes, nullptr, this));
    }
    int send_from(const char* from, DWORD bytes) noexcept override {
        return code_of(::WriteFile(pipe_.get(), from, bytes, nullptr, this));
    }
    bool ends_by_no_bytes() const noexcept override { return false; }
    void wait_is_over(bool well) noexcept override;

    unique_file pipe_;
    pipe_door& home_;
};
// [/pipe_client]

// [pipe_door]
// A pipe has no backlog. There are instances of it, each for one client, and one of them
// waits.
class pipe_door {
public:
    pipe_door(const std::wstring& name, service& all)
        : path_{L"\\\\.\\pipe\\" + name}, service_{all} {}

    // Sees to it that an instance waits. To be called when one has its client, and by the
    // clock.
    void listen() noexcept {
        const std::lock_guard lock{lock_};
        try {
            while (!waiting_) {
                waiting_ = wait_for_client(new_instance());
            }
            last_failure_ = 0;
        } catch (const iocp::call_error& problem) {
            if (std::exchange(last_failure_, problem.code()) != problem.code()) {
                std::fprintf(stderr, "%s\n", problem.what());
            }
        } catch (const std::exception& problem) {
            std::fprintf(stderr, "%s\n", problem.what());
        }
    }

    // A wait that has failed is made again by the clock: the reason may last.
    void wait_is_over(bool well) noexcept {
        {
            const std::lock_guard lock{lock_};
            waiting_ = false;
        }
        if (well) {
            listen();
        }
    }

private:
    // [new_instance]
    unique_file new_instance() {
        unique_file pipe{::CreateNamedPipeW(
            path_.c_str(),
            PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED |
                (first_ ? FILE_FLAG_FIRST_PIPE_INSTANCE : 0), // nobody else has this name
            PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE | PIPE_REJECT_REMOTE_CLIENTS,
            PIPE_UNLIMITED_INSTANCES, 64 * 1024, 4096, 0, nullptr)};
        if (!pipe) {
            iocp::fail(::GetLastError(), "CreateNamedPipeW");
        }
        first_ = false;
        iocp::associate(reinterpret_cast<SOCKET>(pipe.get()), service_.port);
        return pipe;
    }
    // [/new_instance]

    // [connect]
    // False if this instance has had its client already, so that another one is needed.
    bool wait_for_client(unique_file instance) {
        auto mine = std::make_unique<pipe_client>(std::move(instance), service_, *this);
        const HANDLE pipe = mine->pipe();
        pipe_client* const lent = mine.release();
        // lent: the client -> kernel until its packet is dequeued
        if (::ConnectNamedPipe(pipe, lent)) {
            return true; // its packet tells
        }
        const DWORD code = ::GetLastError();
        if (code == ERROR_IO_PENDING) {
            return true;
        }
        mine.reset(lent);
        // back: the client: at once
        if (code == ERROR_PIPE_CONNECTED) { // it was faster than we, and no packet comes
            client::start(std::move(mine));
        } else if (code != ERROR_NO_DATA) { // 232: it was faster, and has gone again
            iocp::fail(code, "ConnectNamedPipe");
        }
        return false;
    }
    // [/connect]

    const std::wstring path_;
    service& service_;
    std::mutex lock_;
    bool first_ = true;
    bool waiting_ = false;
    DWORD last_failure_ = 0; // reported already
};
// [/pipe_door]

inline void pipe_client::wait_is_over(bool well) noexcept {
    home_.wait_is_over(well);
}
