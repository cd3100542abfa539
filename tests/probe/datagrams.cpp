// Rows about datagrams.

#include "row.hpp"

#include "common/address.hpp"
#include "common/port.hpp"
#include "common/unique.hpp"
#include "common/winsock.hpp"

#include <winsock2.h>

#include <mswsock.h>
#include <ws2tcpip.h>

#include <doctest/doctest.h>

#include <string>

namespace {

constexpr DWORD deadline_ms = 5000; // for what must come
constexpr DWORD absence_ms = 200;   // for what does not come under Wine, and may come on Windows

iocp::unique_socket datagram_socket() {
    iocp::unique_socket made{
        ::WSASocketW(AF_INET, SOCK_DGRAM, IPPROTO_UDP, nullptr, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT)};
    REQUIRE(made);
    const iocp::address any{"127.0.0.1", 0};
    REQUIRE(::bind(made.get(), any.get(), any.length()) == 0);
    return made;
}

void send(const iocp::unique_socket& from, const iocp::address& to, int bytes) {
    const char words[64] = "";
    REQUIRE(::sendto(from.get(), words, bytes, 0, to.get(), to.length()) == bytes);
}

// A receive with room for four bytes, on a port of its own.
struct receive {
    receive() { iocp::associate(ours.get(), port); }
    ~receive() { // its memory comes back before it goes
        ours.reset();
        if (in_flight) {
            dequeue(deadline_ms);
        }
    }
    receive(const receive&) = delete;
    receive& operator=(const receive&) = delete;

    // 0, or the code of the call
    int submit() {
        WSABUF room{sizeof buffer, buffer};
        DWORD flags = 0;
        const int returned = ::WSARecvFrom(ours.get(), &room, 1, nullptr, &flags, reinterpret_cast<sockaddr*>(&from),
                                           &from_length, &overlapped, nullptr);
        const int code = returned == 0 ? 0 : ::WSAGetLastError();
        in_flight = code == 0 || code == WSA_IO_PENDING;
        return code;
    }

    // How it has ended, or that no packet came.
    std::string dequeue(DWORD milliseconds) {
        const iocp::packet packet = iocp::dequeue(port, milliseconds);
        in_flight = in_flight && packet.overlapped == nullptr;
        return packet.overlapped == nullptr ? "no packet" : std::to_string(packet.ended.error);
    }

    const iocp::winsock winsock;
    iocp::unique_handle port = iocp::make_port(0);
    iocp::unique_socket ours = datagram_socket();
    const iocp::unique_socket theirs = datagram_socket();
    const iocp::address where = iocp::local_address(ours.get());
    OVERLAPPED overlapped{};
    sockaddr_storage from{};
    INT from_length = sizeof from;
    char buffer[4] = "";
    bool in_flight = false;
};

// Sends to a port where nobody is, and looks at a receive in flight on the same socket.
std::string after_finding_nobody(BOOL told) {
    receive one;
    DWORD bytes = 0;
    if (::WSAIoctl(one.ours.get(), SIO_UDP_CONNRESET, &told, sizeof told, nullptr, 0, &bytes, nullptr, nullptr) != 0) {
        return "WSAIoctl " + std::to_string(::WSAGetLastError());
    }
    iocp::unique_socket gone = datagram_socket();
    const iocp::address nobody = iocp::local_address(gone.get());
    gone.reset();
    REQUIRE(one.submit() == WSA_IO_PENDING);
    send(one.ours, nobody, 1);
    return one.dequeue(absence_ms);
}

} // namespace

TEST_CASE("whether a packet follows when a datagram fails its receive at once") {
    receive one;
    send(one.theirs, one.where, 5);
    const int code = one.submit();
    probe::compare({"row/a-receive-of-a-datagram-that-is-there-already-and-does-not-fit", "the call and its packet say",
                    "10040 and 234", ""},
                   std::to_string(code) + " and " + one.dequeue(absence_ms));
}

TEST_CASE("how a receive ends whose datagram does not fit") {
    receive one;
    REQUIRE(one.submit() == WSA_IO_PENDING);
    send(one.theirs, one.where, 5);
    probe::compare({"card/WSARecvFrom/error-more-data-234-from-the-port-wsaemsgsize-10040-from-winsock",
                    "a receive in flight that a datagram does not fit into ends with", "234", ""},
                   one.dequeue(deadline_ms));
}

TEST_CASE("what a receive is told of a datagram that has found nobody") {
    probe::compare({"row/a-datagram-of-ours-has-found-nobody-at-its-port-and-a-receive-is-in-flight",
                    "a receive in flight is told", "no packet", ""},
                   after_finding_nobody(TRUE));
}

TEST_CASE("whether SIO_UDP_CONNRESET keeps that from a receive") {
    probe::compare({"card/SIO_UDP_CONNRESET/input", "with FALSE a receive in flight is told", "no packet", ""},
                   after_finding_nobody(FALSE));
}
