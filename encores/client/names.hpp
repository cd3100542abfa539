#pragma once
// Encore client, names.hpp: from a name to the addresses that it has, and whether one of
// them is this machine.

#include "common/address.hpp"
#include "common/error.hpp"
#include "common/unique.hpp"

#include <winsock2.h>

#include <ws2tcpip.h>

#include <memory>
#include <string>
#include <vector>

// [resolve]
struct addrinfo_end {
    void operator()(addrinfo* list) const noexcept { ::freeaddrinfo(list); }
};

// All addresses of a name, in the order in which they are to be tried. This call waits for
// the network, so it is made before there is anything to look after.
inline std::vector<iocp::address> resolve(const std::string& host, unsigned port) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC; // both families
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_protocol = IPPROTO_TCP;
    addrinfo* first = nullptr;
    const int failed =
        ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &first);
    if (failed != 0) { // the code itself: no WSAGetLastError
        iocp::fail(static_cast<DWORD>(failed), "getaddrinfo", host);
    }
    const std::unique_ptr<addrinfo, addrinfo_end> list{first};
    std::vector<iocp::address> found;
    for (const addrinfo* each = list.get(); each != nullptr; each = each->ai_next) {
        found.emplace_back(each->ai_addr, static_cast<int>(each->ai_addrlen));
    }
    return found;
}
// [/resolve]

// A name may have addresses of a family that this machine has switched off. No socket leads
// there, so they are left out.
inline std::vector<iocp::address> reachable(std::vector<iocp::address> places,
                                            const std::string& host) {
    std::erase_if(places, [](const iocp::address& each) {
        const iocp::unique_socket tried{::WSASocketW(each.family(), SOCK_STREAM,
                                                     IPPROTO_TCP, nullptr, 0,
                                                     WSA_FLAG_NO_HANDLE_INHERIT)};
        return !tried && ::WSAGetLastError() == WSAEAFNOSUPPORT;
    });
    if (places.empty()) {
        iocp::fail(WSAEAFNOSUPPORT, "WSASocketW", host);
    }
    return places;
}

// [is_loopback]
inline bool is_loopback(const iocp::address& where) noexcept {
    if (where.family() == AF_INET) { // all that begins with 127
        const auto& v4 = *reinterpret_cast<const sockaddr_in*>(where.get());
        return v4.sin_addr.S_un.S_un_b.s_b1 == 127;
    }
    const auto& v6 = *reinterpret_cast<const sockaddr_in6*>(where.get());
    return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr) != 0;
}
// [/is_loopback]
