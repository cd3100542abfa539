#include "common/address.hpp"

#include "common/error.hpp"
#include "common/unique.hpp"
#include "common/winsock.hpp"

#include <doctest/doctest.h>

TEST_CASE("an IPv4 address is read and written") {
    const iocp::winsock winsock;
    const iocp::address where{"127.0.0.1", 6000};
    CHECK(where.family() == AF_INET);
    CHECK(where.length() == sizeof(sockaddr_in));
    CHECK(where.text() == "127.0.0.1:6000");
    const auto* raw = reinterpret_cast<const sockaddr_in*>(where.get());
    CHECK(raw->sin_port == ::htons(6000));
    CHECK(raw->sin_addr.s_addr == ::htonl(INADDR_LOOPBACK));
}

TEST_CASE("an IPv6 address is read and written in brackets") {
    const iocp::winsock winsock;
    const iocp::address where{"::1", 65535};
    CHECK(where.family() == AF_INET6);
    CHECK(where.length() == sizeof(sockaddr_in6));
    CHECK(where.text() == "[::1]:65535");
    CHECK(iocp::address{"2001:db8:0:0:0:0:0:1", 0}.text() == "[2001:db8::1]:0");
}

TEST_CASE("what is no numeric address is refused") {
    const iocp::winsock winsock;
    for (const char* bad : {"", "localhost", "127.0.0", "127.0.0.256", "1.2.3.4.5", ":::1", "[::1]", "127.0.0.1 "}) {
        INFO("address: ", bad);
        CHECK_THROWS_AS((iocp::address{bad, 1}), iocp::call_error);
    }
}

TEST_CASE("an address that the system wrote is copied") {
    const iocp::winsock winsock;
    const iocp::address one{"::1", 6000};
    const iocp::address copy{one.get(), one.length()};
    CHECK(copy.text() == one.text());
    CHECK(copy.length() == one.length());
    CHECK(copy.get() != one.get());
}

TEST_CASE("a socket that was bound to port 0 tells which port it got") {
    const iocp::winsock winsock;
    const iocp::address any_port{"127.0.0.1", 0};
    const iocp::unique_socket socket{::socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)};
    REQUIRE(::bind(socket.get(), any_port.get(), any_port.length()) == 0);
    const std::string text = iocp::local_address(socket.get()).text();
    CHECK(text.starts_with("127.0.0.1:"));
    CHECK(text != "127.0.0.1:0");
    CHECK_THROWS_AS(iocp::local_address(INVALID_SOCKET), iocp::call_error);
}
