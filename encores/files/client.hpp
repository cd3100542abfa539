#pragma once
// The encore files, client.hpp: one client and the file that it gets. It knows neither
// sockets nor pipes.

#include "shared.hpp"

#include "chapters/09_accept_packets/operation.hpp"

#include "common/error.hpp"
#include "common/live_set.hpp"

#include <winsock2.h>

#include <mswsock.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

class client;

// What all clients use.
struct service {
    explicit service(const std::wstring& path) : files{path} {}

    const iocp::unique_handle port = iocp::make_port(0);
    const folder files;
    log_file log;
    iocp::live_set<client> live;
    std::atomic<std::uint64_t> served = 0;
    std::atomic<std::uint64_t> bytes = 0;
};

// 0, or the code that the call has left; 997 means that it is pending.
inline int code_of(BOOL ok) noexcept {
    return ok ? 0 : static_cast<int>(::GetLastError());
}

// [client]
// It sends a name and a newline, and gets `ok`, the size and the file, or `error` and a
// code. Then the next name. One operation at a time, on its own handle, on the file or on
// the log: the packet does not say which, so the client remembers.
class client : public operation {
public:
    explicit client(service& all) : service_{all} {
        path_.reserve(all.files.longest_path()); // so that no name needs memory later
        service_.live.enter(*this);
    }
    virtual ~client() { service_.live.leave(*this); }

    void complete(result ended) noexcept override {
        std::unique_ptr<client> mine{this};
        // back: the client, with its buffers
        if (is_open()) { // else it was closed at the end of the server, and goes
            advance(std::move(mine), ended);
        }
    }

    // Takes the first name.
    static void start(std::unique_ptr<client> mine) noexcept { read_name(std::move(mine)); }

    virtual void close() noexcept = 0;

protected:
    enum class step { connect, name, head, read, send, transmit, log };

    virtual bool is_open() const noexcept = 0;
    virtual int receive_into(char* room, DWORD bytes) noexcept = 0;
    virtual int send_from(const char* from, DWORD bytes) noexcept = 0;
    // Not so where what comes are messages: one may be empty.
    virtual bool ends_by_no_bytes() const noexcept { return true; }
    // Whether the wait for a client has ended well or not, it is over.
    virtual void wait_is_over(bool) noexcept {}
    // \return whether the handle can send a file by itself
    virtual bool transmits() const noexcept { return false; }
    virtual int transmit(HANDLE, DWORD, TRANSMIT_FILE_BUFFERS*) noexcept { return 0; }

    step step_ = step::name;
    // [/client]

private:
    // [submit]
    // Hands the client to the kernel. After the call nothing of it is touched: a worker may
    // have its packet already. A message that is longer than its room fails at once with
    // 234, and is told by a packet all the same.
    template <class Call>
    static void submit(std::unique_ptr<client> mine, step next, std::uint64_t offset,
                       Call call) noexcept {
        mine->clear();
        set_offset(*mine, offset);
        mine->step_ = next;
        client* const lent = mine.release();
        // lent: the client, with its buffers and its file -> kernel until its packet is
        // dequeued
        const int code = call(*lent);
        if (code != 0 && code != ERROR_IO_PENDING && code != ERROR_MORE_DATA) {
            std::unique_ptr<client> back{lent};
            // back: the client: at once
            advance(std::move(back), {0, static_cast<DWORD>(code)});
        }
    }
    // [/submit]

    // [advance]
    static void advance(std::unique_ptr<client> mine, result ended) noexcept {
        client& c = *mine;
        const bool good = c.is_good(ended.error);
        if (c.step_ == step::connect) {
            c.wait_is_over(good);
        }
        if (!good) {
            return; // and it goes
        }
        switch (c.step_) {
        case step::connect:
            read_name(std::move(mine));
            break;
        case step::name:
            if (ended.bytes > 0 || !c.ends_by_no_bytes()) { // else it sends no more
                c.line_end_ += ended.bytes;
                read_name(std::move(mine));
            }
            break;
        case step::read:
            c.offset_ += ended.bytes;
            send(std::move(mine), step::send, ended.bytes);
            break;
        case step::head:
        case step::send:
            c.begin_ += ended.bytes;
            send_rest(std::move(mine));
            break;
        case step::transmit:
            if (ended.bytes != c.buffers_.HeadLength + c.transmitting_) {
                iocp::report(ERROR_HANDLE_EOF, "TransmitFile"); // shorter than it was
                return;
            }
            c.offset_ += c.transmitting_;
            c.buffers_.HeadLength = 0;
            go_on(std::move(mine));
            break;
        case step::log:
            read_name(std::move(mine));
            break;
        }
    }

    bool is_good(DWORD error) noexcept {
        if (error == ERROR_SUCCESS || (error == ERROR_MORE_DATA && step_ == step::name)) {
            return true;
        }
        // 109 and 232 are how a pipe tells that the other end is closed.
        if (error != ERROR_BROKEN_PIPE && error != ERROR_NO_DATA) {
            constexpr const char* calls[]{"ConnectNamedPipe", "receive", "send",
                                          "ReadFile",         "send",    "TransmitFile",
                                          "WriteFile"};
            iocp::report(error, calls[static_cast<int>(step_)]);
        }
        return step_ == step::log; // the client can do without its line
    }
    // [/advance]

    // [name]
    static void read_name(std::unique_ptr<client> mine) noexcept {
        client& c = *mine;
        const std::size_t newline = std::string_view{c.line_, c.line_end_}.find('\n');
        if (newline != std::string_view::npos) {
            answer(std::move(mine), newline);
            return;
        }
        if (c.line_end_ == sizeof c.line_) {
            c.too_long_ = true; // nothing has so long a name: what it ends with is not kept
            c.line_end_ = 0;
        }
        submit(std::move(mine), step::name, 0, [](client& own) {
            return own.receive_into(own.line_ + own.line_end_,
                                    static_cast<DWORD>(sizeof own.line_) - own.line_end_);
        });
    }

    static void answer(std::unique_ptr<client> mine, std::size_t newline) noexcept {
        client& c = *mine;
        std::string_view name{c.line_, c.too_long_ ? 0 : newline};
        if (name.ends_with('\r')) {
            name.remove_suffix(1);
        }
        const DWORD error = c.open(name);
        const int head =
            error == 0 ? std::snprintf(c.block_, sizeof c.block_, "ok %llu\n",
                                       static_cast<unsigned long long>(c.size_))
                       : std::snprintf(c.block_, sizeof c.block_, "error %lu\n", error);
        c.log_length_ = std::snprintf(c.log_, sizeof c.log_, "%.*s: %s",
                                      static_cast<int>(name.size()), name.data(), c.block_);
        c.too_long_ = false;
        c.line_end_ -= static_cast<DWORD>(newline + 1); // what follows is the next name
        std::memmove(c.line_, c.line_ + newline + 1, c.line_end_);
        if (error == 0 && c.size_ > 0 && c.transmits()) {
            c.buffers_ = {c.block_, static_cast<DWORD>(head), nullptr, 0};
            go_on(std::move(mine));
        } else {
            send(std::move(mine), step::head, static_cast<DWORD>(head));
        }
    }
    // [/name]

    // [open]
    // There is no overlapped way to open a file: this blocks the worker.
    DWORD open(std::string_view name) noexcept {
        offset_ = size_ = 0;
        if (!service_.files.find(name, path_)) {
            return ERROR_INVALID_NAME;
        }
        file_ = unique_file{::CreateFileW(
            path_.c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, nullptr,
            OPEN_EXISTING, FILE_FLAG_OVERLAPPED | FILE_FLAG_SEQUENTIAL_SCAN, nullptr)};
        LARGE_INTEGER size{};
        if (!file_ || !::GetFileSizeEx(file_.get(), &size) ||
            ::CreateIoCompletionPort(file_.get(), service_.port.get(), 0, 0) == nullptr) {
            const DWORD error = ::GetLastError();
            file_.reset();
            return error;
        }
        size_ = static_cast<std::uint64_t>(size.QuadPart);
        return ERROR_SUCCESS;
    }
    // [/open]

    // [go_on]
    // The next piece of the file, or the end.
    static void go_on(std::unique_ptr<client> mine) noexcept {
        client& c = *mine;
        const std::uint64_t left = c.size_ - c.offset_;
        if (left == 0) {
            finish(std::move(mine));
        } else if (c.transmits()) {
            constexpr std::uint64_t at_most = 1 << 30; // it takes no more than 2 GiB
            c.transmitting_ = static_cast<DWORD>(std::min(left, at_most));
            submit(std::move(mine), step::transmit, c.offset_, [](client& own) {
                return own.transmit(own.file_.get(), own.transmitting_, &own.buffers_);
            });
        } else {
            submit(std::move(mine), step::read, c.offset_, [left](client& own) {
                const auto bytes =
                    static_cast<DWORD>(std::min<std::uint64_t>(left, sizeof own.block_));
                return code_of(
                    ::ReadFile(own.file_.get(), own.block_, bytes, nullptr, &own));
            });
        }
    }

    static void finish(std::unique_ptr<client> mine) noexcept {
        client& c = *mine;
        if (c.file_) {
            ++c.service_.served;
            c.service_.bytes += c.size_;
            c.file_.reset();
        }
        if (!c.service_.log.is_open()) {
            read_name(std::move(mine));
            return;
        }
        const auto bytes = static_cast<DWORD>(c.log_length_);
        submit(std::move(mine), step::log, c.service_.log.take_room(bytes),
               [bytes](client& own) {
                   return code_of(
                       ::WriteFile(own.service_.log.get(), own.log_, bytes, nullptr, &own));
               });
    }
    // [/go_on]

    static void send(std::unique_ptr<client> mine, step next, DWORD bytes) noexcept {
        mine->step_ = next;
        mine->begin_ = 0;
        mine->end_ = bytes;
        send_rest(std::move(mine));
    }

    static void send_rest(std::unique_ptr<client> mine) noexcept {
        client& c = *mine;
        if (c.begin_ == c.end_) {
            go_on(std::move(mine));
            return;
        }
        submit(std::move(mine), c.step_, 0, [](client& own) {
            return own.send_from(own.block_ + own.begin_, own.end_ - own.begin_);
        });
    }

    service& service_;
    std::wstring path_;
    unique_file file_;
    std::uint64_t size_ = 0; // as it was when the file was opened
    std::uint64_t offset_ = 0;
    DWORD transmitting_ = 0;
    TRANSMIT_FILE_BUFFERS buffers_{};
    char line_[folder::longest_name + 1]; // received: line_[0, line_end_)
    DWORD line_end_ = 0;
    bool too_long_ = false;
    char log_[folder::longest_name + 64];
    int log_length_ = 0;
    char block_[64 * 1024]; // to be sent: block_[begin_, end_)
    DWORD begin_ = 0;
    DWORD end_ = 0;
};
