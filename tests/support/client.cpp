#include "tests/support/client.hpp"

#include "tests/support/failure.hpp"

#include <ws2tcpip.h>

#include <algorithm>
#include <thread>
#include <utility>
#include <vector>

namespace support {

namespace {

struct socket_address {
    sockaddr_storage storage{};
    int length = 0;

    const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

socket_address to_socket_address(const endpoint& where) {
    socket_address result;
    void* bytes = nullptr;
    if (where.is_ipv6()) {
        auto* address = reinterpret_cast<sockaddr_in6*>(&result.storage);
        address->sin6_family = AF_INET6;
        address->sin6_port = ::htons(where.port);
        bytes = &address->sin6_addr;
        result.length = sizeof(*address);
    } else {
        auto* address = reinterpret_cast<sockaddr_in*>(&result.storage);
        address->sin_family = AF_INET;
        address->sin_port = ::htons(where.port);
        bytes = &address->sin_addr;
        result.length = sizeof(*address);
    }
    if (::inet_pton(result.storage.ss_family, where.host.c_str(), bytes) != 1) {
        throw failure("not a numeric address: " + where.host);
    }
    return result;
}

[[noreturn]] void throw_winsock(const char* call) {
    throw failure(call, static_cast<unsigned long>(::WSAGetLastError()));
}

void set_option(SOCKET socket, int level, int name, int value) {
    if (::setsockopt(socket, level, name, reinterpret_cast<const char*>(&value), sizeof(value)) != 0) {
        throw_winsock("setsockopt");
    }
}

bool means_reset(int error) {
    return error == WSAECONNRESET || error == WSAECONNABORTED;
}

} // namespace

client::client(const endpoint& where, int receive_buffer) : socket_(INVALID_SOCKET) {
    const socket_address address = to_socket_address(where);
    socket_ = ::socket(address.storage.ss_family, SOCK_STREAM, IPPROTO_TCP);
    if (socket_ == INVALID_SOCKET) {
        throw_winsock("socket");
    }
    if (receive_buffer != 0) {
        set_option(socket_, SOL_SOCKET, SO_RCVBUF, receive_buffer);
    }
    set_option(socket_, IPPROTO_TCP, TCP_NODELAY, 1);
    u_long non_blocking = 1;
    if (::ioctlsocket(socket_, FIONBIO, &non_blocking) != 0) {
        throw_winsock("ioctlsocket");
    }
    int error = ::connect(socket_, address.get(), address.length) == 0 ? 0 : ::WSAGetLastError();
    if (error == WSAEWOULDBLOCK) {
        error = wait_for(POLLWRNORM, deadline()) ? pending_error() : WSAETIMEDOUT;
    }
    if (error != 0) {
        close();
        throw failure("connect " + where.text(), static_cast<unsigned long>(error));
    }
}

client::~client() {
    close();
}

client::client(client&& other) noexcept : socket_(std::exchange(other.socket_, INVALID_SOCKET)) {}

client& client::operator=(client&& other) noexcept {
    std::swap(socket_, other.socket_);
    return *this;
}

bool client::wait_for(short events, deadline until) {
    WSAPOLLFD poll{socket_, events, 0};
    const int ready = ::WSAPoll(&poll, 1, until.milliseconds_left());
    if (ready == SOCKET_ERROR) {
        throw_winsock("WSAPoll");
    }
    return ready != 0;
}

int client::pending_error() const {
    int error = 0;
    int length = sizeof(error);
    if (::getsockopt(socket_, SOL_SOCKET, SO_ERROR, reinterpret_cast<char*>(&error), &length) != 0) {
        throw_winsock("getsockopt SO_ERROR");
    }
    return error;
}

std::optional<std::string> client::receive_some(std::size_t at_most) {
    std::string buffer(std::min<std::size_t>(at_most, 65'536), '\0');
    const int got = ::recv(socket_, buffer.data(), static_cast<int>(buffer.size()), 0);
    if (got == SOCKET_ERROR) {
        if (::WSAGetLastError() == WSAEWOULDBLOCK) {
            return std::nullopt;
        }
        throw_winsock("recv");
    }
    buffer.resize(static_cast<std::size_t>(got));
    return buffer;
}

std::size_t client::send_some(std::string_view bytes) {
    const int size = static_cast<int>(std::min<std::size_t>(bytes.size(), 65'536));
    const int sent = ::send(socket_, bytes.data(), size, 0);
    if (sent == SOCKET_ERROR) {
        if (::WSAGetLastError() == WSAEWOULDBLOCK) {
            return 0;
        }
        throw_winsock("send");
    }
    return static_cast<std::size_t>(sent);
}

void client::send_all(std::string_view bytes) {
    deadline until;
    while (!bytes.empty()) {
        if (!wait_for(POLLWRNORM, until)) {
            throw failure(std::to_string(bytes.size()) + " bytes could not be sent in time");
        }
        if (const std::size_t sent = send_some(bytes); sent > 0) {
            bytes.remove_prefix(sent);
            until = deadline();
        }
    }
}

std::string client::receive_exactly(std::size_t count) {
    deadline until;
    std::string all;
    while (all.size() < count) {
        const std::string progress = std::to_string(all.size()) + " of " + std::to_string(count) + " bytes";
        if (!wait_for(POLLRDNORM, until)) {
            throw failure("only " + progress + " came in time");
        }
        if (const auto some = receive_some(count - all.size())) {
            if (some->empty()) {
                throw failure("the stream ended after " + progress);
            }
            all += *some;
            until = deadline();
        }
    }
    return all;
}

rest_of_stream client::receive_until_end(std::chrono::milliseconds pace, std::size_t read_at_most) {
    deadline until;
    rest_of_stream rest;
    std::vector<char> buffer(read_at_most);
    while (wait_for(POLLRDNORM, until)) {
        const int got = ::recv(socket_, buffer.data(), static_cast<int>(buffer.size()), 0);
        if (got == 0) {
            return rest;
        }
        if (got != SOCKET_ERROR) {
            rest.bytes.append(buffer.data(), static_cast<std::size_t>(got));
            std::this_thread::sleep_for(pace);
            until = deadline();
            continue;
        }
        const int error = ::WSAGetLastError();
        if (means_reset(error)) {
            rest.how = ending::reset;
            return rest;
        }
        if (error != WSAEWOULDBLOCK) {
            throw failure("recv", static_cast<unsigned long>(error));
        }
    }
    throw failure("the stream did not end in time; " + std::to_string(rest.bytes.size()) + " bytes came");
}

std::string client::exchange(std::string_view bytes, std::size_t read_at_most) {
    deadline until;
    const std::size_t count = bytes.size();
    std::string all;
    all.reserve(count);
    while (all.size() < count) {
        const short events = bytes.empty() ? POLLRDNORM : POLLRDNORM | POLLWRNORM;
        if (!wait_for(events, until)) {
            throw failure("only " + std::to_string(all.size()) + " of " + std::to_string(count) + " bytes came back");
        }
        if (!bytes.empty()) {
            if (const std::size_t sent = send_some(bytes); sent > 0) {
                bytes.remove_prefix(sent);
                until = deadline();
            }
        }
        if (const auto some = receive_some(std::min(read_at_most, count - all.size()))) {
            if (some->empty()) {
                throw failure("the stream ended after " + std::to_string(all.size()) + " bytes");
            }
            all += *some;
            until = deadline();
        }
    }
    return all;
}

std::size_t client::fill(std::size_t limit) {
    const std::string block(65'536, 'f');
    std::size_t taken = 0;
    while (taken < limit && wait_for(POLLWRNORM, deadline(quiet))) {
        taken += send_some(std::string_view(block).substr(0, limit - taken));
    }
    return taken;
}

bool client::hears_nothing_for(std::chrono::milliseconds duration) {
    return !wait_for(POLLRDNORM, deadline(duration));
}

bool client::is_cut_off(std::chrono::milliseconds limit) {
    // WSAPoll reports POLLHUP and POLLERR unasked, but something has to be asked for: out-of-band data, which no server
    // here sends.
    return wait_for(POLLRDBAND, deadline(limit));
}

void client::shutdown_send() {
    if (::shutdown(socket_, SD_SEND) != 0) {
        throw_winsock("shutdown");
    }
}

void client::reset() {
    const linger at_once{1, 0};
    if (::setsockopt(socket_, SOL_SOCKET, SO_LINGER, reinterpret_cast<const char*>(&at_once), sizeof(at_once)) != 0) {
        throw_winsock("setsockopt SO_LINGER");
    }
    close();
}

void client::close() {
    if (socket_ != INVALID_SOCKET) {
        ::closesocket(std::exchange(socket_, INVALID_SOCKET));
    }
}

std::string client::own_address() const {
    sockaddr_storage storage{};
    int length = sizeof(storage);
    if (::getsockname(socket_, reinterpret_cast<sockaddr*>(&storage), &length) != 0) {
        throw_winsock("getsockname");
    }
    char host[INET6_ADDRSTRLEN]{};
    const bool ipv6 = storage.ss_family == AF_INET6;
    const auto* four = reinterpret_cast<const sockaddr_in*>(&storage);
    const auto* six = reinterpret_cast<const sockaddr_in6*>(&storage);
    const void* bytes = ipv6 ? static_cast<const void*>(&six->sin6_addr) : &four->sin_addr;
    if (::inet_ntop(storage.ss_family, bytes, host, sizeof(host)) == nullptr) {
        throw_winsock("inet_ntop");
    }
    return endpoint{host, ::ntohs(ipv6 ? six->sin6_port : four->sin_port)}.text();
}

} // namespace support
