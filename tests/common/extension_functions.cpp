#include "common/extension_functions.hpp"

#include "common/error.hpp"
#include "common/overlapped_socket.hpp"
#include "common/winsock.hpp"

#include <doctest/doctest.h>

TEST_CASE("the extension functions are there for both families") {
    const iocp::winsock winsock;
    for (const int family : {AF_INET, AF_INET6}) {
        const iocp::unique_socket socket = iocp::overlapped_socket(family);
        const iocp::extension_functions functions{socket.get()};
        CHECK(static_cast<bool>(functions.AcceptEx));
        CHECK(static_cast<bool>(functions.GetAcceptExSockaddrs));
    }
}

TEST_CASE("without a socket there are no extension functions") {
    const iocp::winsock winsock;
    CHECK_THROWS_AS(iocp::extension_functions{INVALID_SOCKET}, iocp::call_error);
}
