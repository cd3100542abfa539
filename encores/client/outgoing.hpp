#pragma once
// Encore client, outgoing.hpp: one outgoing connection. It connects, asks for echoes,
// leaves and begins again. One thread takes all packets and looks after all connections,
// so nothing here has a lock.

#include "names.hpp"
#include "tally.hpp"

#include "chapters/12_orderly_end/operation.hpp"

#include "common/address.hpp"
#include "common/error.hpp"
#include "common/listener.hpp"
#include "common/overlapped_socket.hpp"
#include "common/port.hpp"
#include "common/unique.hpp"

#include <winsock2.h>

#include <mswsock.h>
#include <ws2tcpip.h>
#include <mstcpip.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iterator>
#include <string>
#include <vector>

// [load]
// ConnectEx and DisconnectEx are in no import library: the provider of a socket hands them
// out.
template <class Function>
Function load(SOCKET any, GUID id, const char* name) {
    Function function = nullptr;
    DWORD bytes = 0;
    if (::WSAIoctl(any, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof id, &function,
                   sizeof function, &bytes, nullptr, nullptr) == SOCKET_ERROR) {
        iocp::fail(::WSAGetLastError(), "WSAIoctl SIO_GET_EXTENSION_FUNCTION_POINTER",
                   name);
    }
    return function;
}

struct client_functions {
    explicit client_functions(SOCKET any)
        : ConnectEx{load<LPFN_CONNECTEX>(any, WSAID_CONNECTEX, "ConnectEx")},
          DisconnectEx{load<LPFN_DISCONNECTEX>(any, WSAID_DISCONNECTEX, "DisconnectEx")} {}

    LPFN_CONNECTEX ConnectEx;
    LPFN_DISCONNECTEX DisconnectEx;
};
// [/load]

// What all connections share. It outlives them.
struct plan {
    const std::vector<iocp::address> places; // where the server may be, first choice first
    const std::string name;                  // and what we call it
    const client_functions call;
    const iocp::unique_handle port;
    const std::uint16_t local_port;           // 0: any free one
    const unsigned size;                      // bytes of an echo
    const unsigned echoes;                    // then a connection leaves; 0: it stays
    const bool reuse;                         // connect the same socket again
    const std::chrono::milliseconds patience; // with a server that is absent, or silent
    bool stopping = false;
    tally seen{};
};

static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port),
              "a port can be set whatever the family is");

class outgoing {
public:
    outgoing(plan& common, unsigned number)
        : plan_{common}, out_(common.size), in_(common.size), pattern_{number} {
        wait(clock_type::now());
    }
    outgoing(const outgoing&) = delete;
    outgoing& operator=(const outgoing&) = delete;

    // Finished for good, and nothing of it is lent.
    bool over() const noexcept { return state_ == state::over && lent_ == 0; }

    // [look_after]
    // By the clock. What is in flight on a socket that is closed here comes back as a
    // failure.
    void look_after(clock_type::time_point now) noexcept {
        if (state_ == state::waiting && plan_.stopping) {
            give_up(code_);
        } else if (state_ == state::waiting && now >= due_) {
            connect();
        } else if (state_ == state::connecting && (plan_.stopping || now >= give_up_at_)) {
            give_up(code_ == 0 ? WSAETIMEDOUT : code_);
        } else if (socket_ && now >= give_up_at_) {
            lost(WSAETIMEDOUT, "echo");
        }
    }
    // [/look_after]

private:
    enum class state { waiting, connecting, talking, leaving, disconnecting, over };
    static constexpr std::chrono::milliseconds first_pause{50};
    static constexpr std::chrono::milliseconds longest_pause{1000};

    // [own_operation]
    // It lives in its connection, and that lives until all of it is back.
    struct own_operation final : operation {
        own_operation(outgoing& c, void (outgoing::*what)(result) noexcept)
            : owner{c}, then{what} {}
        void submit() noexcept {
            lend();
            busy = true;
            ++owner.lent_;
        }
        void is_back() noexcept {
            busy = false;
            --owner.lent_;
        }
        void complete(result ended) noexcept override {
            is_back();
            if (owner.socket_) { // else it was closed here, and how this ended says nothing
                (owner.*then)(ended);
            }
            owner.settle();
        }
        outgoing& owner;
        void (outgoing::*const then)(result) noexcept;
        bool busy = false;
    };

    // After a submit. \return 0, or the code with which it has failed at once
    int submitted(own_operation& one, bool succeeded) noexcept {
        const int code = succeeded ? 0 : ::WSAGetLastError();
        if (code == 0 || code == ERROR_IO_PENDING) {
            return 0; // a packet comes
        }
        one.take_back();
        one.is_back();
        // back: the operation and its buffer: at once
        return code;
    }
    // [/own_operation]

    // [open]
    // A socket that is bound, as ConnectEx wants it: to any local address and a free port.
    void open(const iocp::address& where) {
        socket_ = iocp::overlapped_socket(where.family());
        sockaddr_storage any{}; // every local address is all zero, in both families
        any.ss_family = static_cast<ADDRESS_FAMILY>(where.family());
        reinterpret_cast<sockaddr_in&>(any).sin_port = ::htons(plan_.local_port);
        if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&any),
                   where.length()) == SOCKET_ERROR) {
            iocp::fail(static_cast<DWORD>(::WSAGetLastError()), "bind");
        }
        iocp::associate(socket_.get(), plan_.port);
    }
    // [/open]

    // [fail_soon]
    // A refusal may be a mistake of the network, so Windows asks twice more, and 2 s pass.
    // On our own machine it is none. Without this nothing is wrong, only slow.
    void fail_soon(const iocp::address& where) noexcept {
        if (!is_loopback(where)) {
            return;
        }
        TCP_INITIAL_RTO_PARAMETERS once{TCP_INITIAL_RTO_UNSPECIFIED_RTT,
                                        TCP_INITIAL_RTO_NO_SYN_RETRANSMISSIONS};
        DWORD bytes = 0;
        if (::WSAIoctl(socket_.get(), SIO_TCP_INITIAL_RTO, &once, sizeof once, nullptr, 0,
                       &bytes, nullptr, nullptr) == SOCKET_ERROR) {
            const int code = ::WSAGetLastError();
            if (code != WSAEOPNOTSUPP && code != WSAEINVAL) { // Wine, and an older Windows
                iocp::report(code, "WSAIoctl SIO_TCP_INITIAL_RTO");
            }
        }
    }
    // [/fail_soon]

    // [connect]
    int submit_connect(const iocp::address& where) noexcept {
        DWORD sent = 0; // no first data
        connect_.submit();
        // lent: connect_ and the socket -> kernel until the packet is dequeued
        return submitted(connect_,
                         plan_.call.ConnectEx(socket_.get(), where.get(), where.length(),
                                              nullptr, 0, &sent, &connect_));
    }
    // [/connect]

    // [begin]
    // A socket that DisconnectEx has given back is tried first.
    void connect() noexcept {
        state_ = state::connecting;
        used_ = static_cast<bool>(socket_);
        ++tries_;
        const iocp::address& where = plan_.places[place_];
        try {
            if (!used_) {
                open(where);
                fail_soon(where);
            }
            if (const int code = submit_connect(where); code != 0) {
                failed(static_cast<DWORD>(code));
            }
        } catch (const iocp::call_error& problem) {
            not_connected(problem.code());
        } catch (const std::exception&) {
            not_connected(ERROR_OUTOFMEMORY);
        }
    }

    // By the call or by its packet. The reason may be that the socket was used before: then
    // the same once more, with a new one. That one is not used, so it ends here.
    void failed(DWORD code) noexcept {
        if (!used_) {
            not_connected(code);
            return;
        }
        ++plan_.seen.replaced;
        socket_.reset(); // nothing is in flight on it
        connect();
    }
    // [/begin]

    // [connected]
    void connected(result ended) noexcept {
        if (ended.error != ERROR_SUCCESS) {
            failed(ended.error);
            return;
        }
        if (::setsockopt(socket_.get(), SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, nullptr,
                         0) == SOCKET_ERROR) {
            lost(static_cast<DWORD>(::WSAGetLastError()),
                 "setsockopt SO_UPDATE_CONNECT_CONTEXT");
            return;
        }
        if (is_our_own(plan_.places[place_])) {
            not_connected(ERROR_CONNECTION_REFUSED);
            return;
        }
        iocp::send_without_delay(socket_.get()); // an option: only now
        if (plan_.seen.connected++ == 0) {
            plan_.seen.first_connected = clock_type::now();
        }
        plan_.seen.reused += used_ ? 1 : 0;
        asked_ = 0;
        ask();
    }
    // [/connected]

    // [own]
    // Nobody listens, the port that we were given is the one that we connect to, and the
    // attempt meets itself half-way: TCP allows that. All that we send would come back.
    bool is_our_own(const iocp::address& where) const noexcept {
        sockaddr_storage local{};
        int length = sizeof local;
        if (::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&local), &length) ==
            SOCKET_ERROR) {
            return false; // the connection has gone, as the first receive will tell
        }
        if (where.family() == AF_INET) {
            const auto& us = reinterpret_cast<const sockaddr_in&>(local);
            const auto& them = *reinterpret_cast<const sockaddr_in*>(where.get());
            return us.sin_port == them.sin_port &&
                   std::memcmp(&us.sin_addr, &them.sin_addr, sizeof us.sin_addr) == 0;
        }
        const auto& us = reinterpret_cast<const sockaddr_in6&>(local);
        const auto& them = *reinterpret_cast<const sockaddr_in6*>(where.get());
        return us.sin6_port == them.sin6_port &&
               std::memcmp(&us.sin6_addr, &them.sin6_addr, sizeof us.sin6_addr) == 0;
    }
    // [/own]

    // [may_pass]
    // May the same call succeed a little later? Winsock and the port have a number each.
    static bool may_pass(DWORD code) noexcept {
        constexpr DWORD passing[] = {
            WSAECONNREFUSED, ERROR_CONNECTION_REFUSED,  // nobody listens yet
            WSAETIMEDOUT,    ERROR_SEM_TIMEOUT,         // no answer
            WSAENETUNREACH,  ERROR_NETWORK_UNREACHABLE, // no way there now
            WSAEHOSTUNREACH, ERROR_HOST_UNREACHABLE,
            WSAECONNRESET,   ERROR_NETNAME_DELETED, // it has just ended
            WSAEADDRINUSE,   ERROR_DUP_NAME, // this pair of addresses is still in use
            WSAENOBUFS,      WSAEMFILE};     // we are short of something
        return std::ranges::find(passing, code) != std::end(passing);
    }

    // [/may_pass]

    // [retry]
    void not_connected(DWORD code) noexcept {
        const auto now = clock_type::now();
        code_ = code;
        if (!may_pass(code) || now + pause_ >= give_up_at_ || plan_.stopping) {
            give_up(code);
            return;
        }
        socket_.reset(); // nothing is in flight on it
        if (plan_.seen.retries++ == 0) {
            say(code, "tried again");
        }
        state_ = state::waiting;
        due_ = now;
        place_ = (place_ + 1) % plan_.places.size();
        if (place_ == 0) { // every address of the name has been tried
            due_ += pause_ * (128 + random() / 2) / 256; // half of it, or up to all
            pause_ = std::min(2 * pause_, longest_pause);
        }
    }
    // [/retry]

    void give_up(DWORD code) noexcept {
        state_ = state::over;
        iocp::cancel_and_close(socket_);
        if (code == 0 || (plan_.stopping && plan_.seen.connected > 0)) {
            return; // it is not needed any more
        }
        ++plan_.seen.given_up;
        if (plan_.seen.failed(code)) { // a line for each code, not for each connection
            say(code, "given up");
        }
    }

    void say(DWORD code, const char* what) const noexcept {
        char where[160];
        std::snprintf(where, sizeof where, "%s (try %u, %s)", plan_.name.c_str(), tries_,
                      what);
        iocp::report(code, "ConnectEx", where);
    }

    unsigned random() noexcept { // 0 to 255
        pattern_ = pattern_ * 1'664'525 + 1'013'904'223;
        return pattern_ >> 24;
    }

    // [talk]
    // One echo. Both directions are lent at once, for the server may answer before it has
    // taken all.
    void ask() noexcept {
        state_ = state::talking;
        for (char& byte : out_) {
            byte = static_cast<char>(random());
        }
        received_ = 0;
        asked_at_ = clock_type::now();
        give_up_at_ = asked_at_ + plan_.patience;
        submit_receive();
        if (!socket_) {
            return;
        }
        WSABUF all{plan_.size, out_.data()};
        send_.submit();
        // lent: send_, out_ -> kernel until the packet is dequeued
        const int code = submitted(
            send_, ::WSASend(socket_.get(), &all, 1, nullptr, 0, &send_, nullptr) == 0);
        if (code != 0) {
            lost(static_cast<DWORD>(code), "WSASend");
        }
    }

    void submit_receive() noexcept {
        WSABUF room{plan_.size - received_, in_.data() + received_};
        DWORD flags = 0;
        receive_.submit();
        // lent: receive_, in_ from received_ on -> kernel until the packet is dequeued
        const int code = submitted(receive_, ::WSARecv(socket_.get(), &room, 1, nullptr,
                                                       &flags, &receive_, nullptr) == 0);
        if (code != 0) {
            lost(static_cast<DWORD>(code), "WSARecv");
        }
    }

    void sent(result ended) noexcept {
        if (ended.error != ERROR_SUCCESS) {
            lost(ended.error, "WSASend");
        } else if (received_ == plan_.size) {
            echoed();
        }
    }

    void received(result ended) noexcept {
        const auto at = static_cast<std::ptrdiff_t>(received_);
        if (ended.error != ERROR_SUCCESS) {
            lost(ended.error, "WSARecv");
        } else if (ended.bytes == 0) {
            at_end_of_stream();
        } else if (state_ == state::leaving ||
                   !std::equal(in_.begin() + at, in_.begin() + at + ended.bytes,
                               out_.begin() + at)) {
            ++plan_.seen.wrong; // more than we have sent, or something else
            state_ = state::over;
            iocp::cancel_and_close(socket_);
        } else if (received_ += ended.bytes; received_ < plan_.size) {
            submit_receive();
        } else if (!send_.busy) {
            echoed();
        }
    }

    void echoed() noexcept {
        ++plan_.seen.echoes;
        plan_.seen.took.add(clock_type::now() - asked_at_);
        if (plan_.stopping || ++asked_ == plan_.echoes) {
            leave();
        } else {
            ask();
        }
    }
    // [/talk]

    // [leave]
    // We have said all. The server closes as well, and a receive of 0 bytes tells us so.
    void leave() noexcept {
        state_ = state::leaving;
        received_ = 0;
        if (::shutdown(socket_.get(), SD_SEND) == SOCKET_ERROR) {
            lost(static_cast<DWORD>(::WSAGetLastError()), "shutdown");
        } else {
            submit_receive();
        }
    }

    void at_end_of_stream() noexcept {
        if (state_ != state::leaving) {
            ++plan_.seen.ended_early;
            iocp::cancel_and_close(socket_);
        } else if (plan_.stopping || !plan_.reuse) {
            socket_.reset();
            begin_anew();
        } else {
            disconnect();
        }
    }

    // [disconnect]
    void disconnect() noexcept {
        state_ = state::disconnecting;
        disconnect_.submit();
        // lent: disconnect_ and the socket -> kernel until the packet is dequeued
        const int code =
            submitted(disconnect_, plan_.call.DisconnectEx(socket_.get(), &disconnect_,
                                                           TF_REUSE_SOCKET, 0));
        if (code != 0) {
            lost(static_cast<DWORD>(code), "DisconnectEx");
        }
    }

    // The socket is as good as new: bound, associated with the port, and not connected.
    void disconnected(result ended) noexcept {
        if (ended.error == ERROR_SUCCESS) {
            begin_anew();
        } else {
            lost(ended.error, "DisconnectEx");
        }
    }
    // [/disconnect]
    // [/leave]

    void begin_anew() noexcept {
        wait(clock_type::now());
        if (!plan_.stopping) {
            connect();
        }
    }

    void wait(clock_type::time_point until) noexcept {
        state_ = state::waiting;
        tries_ = 0;
        code_ = 0;
        pause_ = first_pause;
        due_ = until;
        give_up_at_ = until + plan_.patience;
    }

    // The connection is gone. What is still lent comes back as a failure, and then another
    // one takes its place.
    void lost(DWORD code, const char* call) noexcept {
        iocp::cancel_and_close(socket_);
        if (state_ == state::disconnecting) {
            ++plan_.seen.replaced; // no harm: all of its echoes are here
        } else if (plan_.seen.failed(code)) {
            iocp::report(code, call);
        }
    }

    void settle() noexcept {
        if (lent_ == 0 && !socket_ && state_ != state::waiting && state_ != state::over) {
            wait(clock_type::now() + first_pause);
        }
    }

    plan& plan_;
    iocp::unique_socket socket_;
    state state_ = state::waiting;
    own_operation connect_{*this, &outgoing::connected};
    own_operation send_{*this, &outgoing::sent};
    own_operation receive_{*this, &outgoing::received};
    own_operation disconnect_{*this, &outgoing::disconnected};
    unsigned lent_ = 0; // how many of the four are in flight
    std::vector<char> out_;
    std::vector<char> in_;
    std::uint32_t pattern_; // no two connections send the same
    unsigned received_ = 0; // bytes of this echo
    unsigned asked_ = 0;    // echoes of this connection
    std::size_t place_ = 0;
    bool used_ = false; // the socket was connected before
    unsigned tries_ = 0;
    DWORD code_ = 0; // of the last one
    std::chrono::milliseconds pause_{};
    clock_type::time_point due_{};
    clock_type::time_point asked_at_{};
    clock_type::time_point give_up_at_{};
};
