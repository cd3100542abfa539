#include "common/unique.hpp"

#include "common/event.hpp"
#include "common/overlapped_socket.hpp"
#include "common/winsock.hpp"

#include <doctest/doctest.h>

#include <vector>

namespace {

std::vector<int> closed;

struct number_policy {
    using type = int;
    static constexpr type none = -1;
    static void close(type number) noexcept { closed.push_back(number); }
};
using unique_number = iocp::unique_resource<number_policy>;

} // namespace

TEST_CASE("what is owned is closed once at the end") {
    closed.clear();
    {
        const unique_number one{1};
        CHECK(one);
        CHECK(one.get() == 1);
        CHECK(closed.empty());
    }
    CHECK(closed == std::vector{1});
}

TEST_CASE("nothing is closed where nothing is owned") {
    closed.clear();
    {
        unique_number none;
        CHECK_FALSE(none);
        none.reset();
    }
    CHECK(closed.empty());
}

TEST_CASE("moving hands over and the old owner closes nothing") {
    closed.clear();
    {
        unique_number one{1};
        unique_number two{std::move(one)};
        CHECK_FALSE(one);
        CHECK(two.get() == 1);
        unique_number three{3};
        three = std::move(two);
        CHECK(closed == std::vector{3});
        CHECK(three.get() == 1);
    }
    CHECK(closed == std::vector{3, 1});
}

TEST_CASE("moving an owner onto itself keeps what it owns") {
    closed.clear();
    unique_number one{1};
    unique_number& same = one;
    one = std::move(same);
    CHECK(one.get() == 1);
    CHECK(closed.empty());
}

TEST_CASE("reset closes the old one and release closes nothing") {
    closed.clear();
    unique_number one{1};
    one.reset(2);
    CHECK(closed == std::vector{1});
    CHECK(one.release() == 2);
    CHECK_FALSE(one);
    one.reset();
    CHECK(closed == std::vector{1});
}

TEST_CASE("a socket is closed by its owner") {
    const iocp::winsock winsock;
    SOCKET raw = INVALID_SOCKET;
    int type = 0;
    int length = sizeof type;
    {
        const iocp::unique_socket socket = iocp::overlapped_socket(AF_INET6);
        raw = socket.get();
        REQUIRE(::getsockopt(raw, SOL_SOCKET, SO_TYPE, reinterpret_cast<char*>(&type), &length) == 0);
        CHECK(type == SOCK_STREAM);
    }
    CHECK(::getsockopt(raw, SOL_SOCKET, SO_TYPE, reinterpret_cast<char*>(&type), &length) == SOCKET_ERROR);
    CHECK(::WSAGetLastError() == WSAENOTSOCK);
}

TEST_CASE("a socket is not inherited by child processes") {
    const iocp::winsock winsock;
    const iocp::unique_socket socket = iocp::overlapped_socket(AF_INET);
    DWORD flags = 0;
    REQUIRE(::GetHandleInformation(reinterpret_cast<HANDLE>(socket.get()), &flags));
    CHECK((flags & HANDLE_FLAG_INHERIT) == 0);
}

TEST_CASE("a family without sockets is refused with the call's name") {
    const iocp::winsock winsock;
    CHECK_THROWS_WITH_AS(iocp::overlapped_socket(12'345), doctest::Contains("WSASocketW: "), iocp::call_error);
}

TEST_CASE("an event stays signalled until it is reset") {
    const iocp::winsock winsock;
    const iocp::unique_event event = iocp::make_event();
    CHECK_FALSE(iocp::is_signalled(event.get()));
    REQUIRE(::WSASetEvent(event.get()));
    CHECK(iocp::is_signalled(event.get()));
    CHECK(iocp::is_signalled(event.get()));
    REQUIRE(::WSAResetEvent(event.get()));
    CHECK_FALSE(iocp::is_signalled(event.get()));
}
