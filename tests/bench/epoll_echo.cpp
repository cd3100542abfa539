// A TCP echo server on Linux's epoll, with one thread: what the machine gives when nothing stands between. It runs
// natively, beside programs that run under Wine, and so it is a limit and not a rival.

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>

namespace {

[[noreturn]] void fail(const char* call) {
    throw std::system_error(errno, std::generic_category(), call);
}

int checked(int result, const char* call) {
    if (result == -1) {
        fail(call);
    }
    return result;
}

class server {
public:
    explicit server(std::uint16_t port) {
        sockaddr_in where{};
        where.sin_family = AF_INET;
        where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        where.sin_port = htons(port);
        socklen_t length = sizeof where;
        checked(::bind(listener_, reinterpret_cast<sockaddr*>(&where), length), "bind");
        checked(::listen(listener_, SOMAXCONN), "listen");
        checked(::getsockname(listener_, reinterpret_cast<sockaddr*>(&where), &length), "getsockname");
        std::printf("listening on 127.0.0.1:%u\n", static_cast<unsigned>(ntohs(where.sin_port)));
        std::fflush(stdout);
        tell_epoll(EPOLL_CTL_ADD, listener_, EPOLLIN);
    }

    void serve() {
        std::array<epoll_event, 256> events{};
        for (;;) {
            const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
            if (count == -1 && errno != EINTR) {
                fail("epoll_wait");
            }
            for (int i = 0; i < count; ++i) {
                const epoll_event& one = events.at(static_cast<std::size_t>(i));
                if (one.data.fd == listener_) {
                    accept_all();
                } else if (!(owed_.contains(one.data.fd) ? send_owed(one.data.fd) : echo(one.data.fd))) {
                    owed_.erase(one.data.fd);
                    ::close(one.data.fd);
                }
            }
        }
    }

private:
    void tell_epoll(int what, int fd, std::uint32_t events) const {
        epoll_event interest{};
        interest.events = events;
        interest.data.fd = fd;
        checked(::epoll_ctl(epoll_, what, fd, &interest), "epoll_ctl");
    }

    void accept_all() {
        for (;;) {
            const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd == -1) {
                if (errno == EAGAIN || errno == ECONNABORTED) {
                    return;
                }
                fail("accept4");
            }
            const int yes = 1;
            checked(::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes), "setsockopt");
            tell_epoll(EPOLL_CTL_ADD, fd, EPOLLIN);
        }
    }

    // Each reports whether the connection goes on.
    bool echo(int fd) {
        const ssize_t received = ::recv(fd, buffer_.data(), buffer_.size(), 0);
        if (received <= 0) {
            return received == -1 && errno == EAGAIN;
        }
        const auto size = static_cast<std::size_t>(received);
        const ssize_t sent = ::send(fd, buffer_.data(), size, MSG_NOSIGNAL);
        if (sent == received) {
            return true;
        }
        if (sent == -1 && errno != EAGAIN) {
            return false;
        }
        // No more is received until this is sent.
        const std::size_t begin = sent == -1 ? 0 : static_cast<std::size_t>(sent);
        owed_[fd].assign(buffer_.data() + begin, size - begin);
        tell_epoll(EPOLL_CTL_MOD, fd, EPOLLOUT);
        return true;
    }

    bool send_owed(int fd) {
        std::string& bytes = owed_[fd];
        const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent == -1) {
            return errno == EAGAIN;
        }
        bytes.erase(0, static_cast<std::size_t>(sent));
        if (bytes.empty()) {
            owed_.erase(fd);
            tell_epoll(EPOLL_CTL_MOD, fd, EPOLLIN);
        }
        return true;
    }

    int epoll_ = checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    int listener_ = checked(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
    std::array<char, 65'536> buffer_{};
    std::unordered_map<int, std::string> owed_; // what a socket did not take
};

} // namespace

int main(int argc, char** argv) {
    std::uint16_t port = 6000;
    if (argc == 3 && std::string_view(argv[1]) == "--port") {
        port = static_cast<std::uint16_t>(std::strtoul(argv[2], nullptr, 10));
    }
    try {
        rlimit limit{};
        checked(::getrlimit(RLIMIT_NOFILE, &limit), "getrlimit");
        limit.rlim_cur = limit.rlim_max;
        checked(::setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
        server{port}.serve();
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "epoll_echo: %s\n", problem.what());
        return 1;
    }
}
