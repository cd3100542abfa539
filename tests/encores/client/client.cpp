// The encore client, as the one who is tested: it is started against servers, good ones and bad ones.

#include "tests/support/chapter.hpp"
#include "tests/support/child.hpp"
#include "tests/support/failure.hpp"
#include "tests/support/faulty_server.hpp"
#include "tests/support/options.hpp"
#include "tests/support/server.hpp"

#include <doctest/doctest.h>

#include <winsock2.h>

#include <ws2tcpip.h>

#include <atomic>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace support;

constinit const chapter_info support::chapter{.number = encore, .name = "client"};

namespace {

// Gives the socket a free port of this machine. \return its address
sockaddr_in bound_to_loopback(SOCKET socket) {
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    int length = sizeof where;
    if (::bind(socket, reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0 ||
        ::getsockname(socket, reinterpret_cast<sockaddr*>(&where), &length) != 0) {
        throw failure("bind or getsockname", static_cast<unsigned long>(::WSAGetLastError()));
    }
    return where;
}

// A port of this program where nobody listens until listen() is called, and then a server of plain sockets, which
// treats each connection, one after the other, as it is told. It ends when this object does.
class plain_server {
public:
    explicit plain_server(std::function<void(SOCKET)> treat) : treat_{std::move(treat)} {
        WSADATA about{};
        if (::WSAStartup(MAKEWORD(2, 2), &about) != 0) {
            throw failure("WSAStartup");
        }
        listener_ = ::socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
        port_ = ::ntohs(bound_to_loopback(listener_).sin_port);
    }
    ~plain_server() {
        if (thread_.joinable()) {
            // accept is ended by a connection of our own, which nobody treats.
            ending_ = true;
            const SOCKET last = ::socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
            sockaddr_in where{};
            where.sin_family = AF_INET;
            where.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
            where.sin_port = ::htons(port_);
            const bool came = ::connect(last, reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0;
            CHECK_MESSAGE(came, "the server of the test cannot be told to end");
            thread_.join();
            ::closesocket(last);
        }
        ::closesocket(listener_);
        ::WSACleanup();
    }
    plain_server(const plain_server&) = delete;
    plain_server& operator=(const plain_server&) = delete;

    void listen() {
        if (::listen(listener_, SOMAXCONN) != 0) {
            throw failure("listen", static_cast<unsigned long>(::WSAGetLastError()));
        }
        thread_ = std::thread{[this] {
            for (;;) {
                const SOCKET one = ::accept(listener_, nullptr, nullptr);
                if (one != INVALID_SOCKET && !ending_) {
                    treat_(one);
                }
                ::closesocket(one);
                if (ending_ || one == INVALID_SOCKET) {
                    return;
                }
            }
        }};
    }

    std::wstring port() const { return std::to_wstring(port_); }

private:
    std::function<void(SOCKET)> treat_;
    SOCKET listener_ = INVALID_SOCKET;
    u_short port_ = 0;
    std::atomic<bool> ending_{false};
    std::thread thread_;
};

// A listener whose backlog is full. Under Wine it does not answer, for Linux does not; Windows refuses.
class full_listener {
public:
    full_listener() {
        WSADATA about{};
        if (::WSAStartup(MAKEWORD(2, 2), &about) != 0) {
            throw failure("WSAStartup");
        }
        listener_ = ::socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
        const sockaddr_in where = bound_to_loopback(listener_);
        if (::listen(listener_, 1) != 0) {
            throw failure("listen", static_cast<unsigned long>(::WSAGetLastError()));
        }
        port_ = ::ntohs(where.sin_port);
        while (gets_in(where)) {
        }
    }
    ~full_listener() {
        for (const SOCKET one : waiting_) {
            ::closesocket(one);
        }
        ::closesocket(listener_);
        ::WSACleanup();
    }
    full_listener(const full_listener&) = delete;
    full_listener& operator=(const full_listener&) = delete;

    std::wstring port() const { return std::to_wstring(port_); }
    bool answers() const { return refuses_; } // that it has no room

private:
    bool gets_in(const sockaddr_in& where) {
        if (waiting_.size() > 300) {
            throw failure("a backlog of 1 has no end");
        }
        const SOCKET one = waiting_.emplace_back(::socket(AF_INET, SOCK_STREAM, IPPROTO_TCP));
        u_long yes = 1;
        if (::ioctlsocket(one, FIONBIO, &yes) != 0) {
            throw failure("ioctlsocket", static_cast<unsigned long>(::WSAGetLastError()));
        }
        if (::connect(one, reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0) {
            return true;
        }
        fd_set connected{1, {one}};
        fd_set failed{1, {one}};
        timeval limit{3, 0}; // Windows takes 2 s to say no
        if (::select(0, nullptr, &connected, &failed, &limit) == 0) {
            return false;
        }
        refuses_ = failed.fd_count != 0;
        return !refuses_;
    }

    std::vector<SOCKET> waiting_;
    SOCKET listener_ = INVALID_SOCKET;
    u_short port_ = 0;
    bool refuses_ = false;
};

// Echoes until the client has said all; each piece passes through `change` with the offset of its first byte.
void echo(SOCKET one, const std::function<void(char*, int, std::size_t)>& change) {
    char buffer[4096];
    std::size_t offset = 0;
    for (int got = 0; (got = ::recv(one, buffer, sizeof buffer, 0)) > 0; offset += static_cast<std::size_t>(got)) {
        change(buffer, got, offset);
        if (::send(one, buffer, got, 0) != got) {
            return;
        }
    }
}

void as_it_is(char*, int, std::size_t) {}

// The numbers of what the client says at its end.
struct measured {
    explicit measured(const std::string& out) {
        std::size_t at = out.find("connections: ");
        REQUIRE_MESSAGE(at != std::string::npos, "it has not said what it measured: " << out);
        unsigned long long many = 0;
        std::sscanf(out.c_str() + at, "connections: %u, %u of them on a used socket; %u sockets replaced", &connected,
                    &reused, &replaced);
        std::sscanf(out.c_str() + out.find("echoes: "), "echoes: %llu,", &many);
        std::sscanf(out.c_str() + out.find("failures: "),
                    "failures: %u retries, %u given up, %u ended early, %u with a wrong byte", &retries, &given_up,
                    &ended_early, &wrong);
        echoes = many;
    }
    unsigned connected = 0, reused = 0, replaced = 0, retries = 0, given_up = 0, ended_early = 0, wrong = 0;
    unsigned long long echoes = 0;
};

std::vector<std::wstring> arguments(const std::wstring& port, std::vector<std::wstring> more) {
    more.insert(more.begin(), {L"--port", port});
    return more;
}

void check_all_well(const finished_program& ran) {
    INFO("it says: ", ran.out, ran.err);
    const measured seen{ran.out};
    CHECK_MESSAGE(ran.status == 0, "it has ended with status " << ran.status << " and not 0");
    CHECK_MESSAGE(seen.echoes > 0, "not one echo came back");
    CHECK_MESSAGE(seen.given_up + seen.ended_early + seen.wrong == 0, "it tells of failures");
}

} // namespace

TEST_CASE("it loads the server of chapter 17 and each echo is right") {
    const second_program server{"17_echo_server"};
    const finished_program ran = run_to_end(
        arguments(std::to_wstring(server.where().port), {L"--count", L"20", L"--size", L"3000", L"--seconds", L"1"}));
    check_all_well(ran);
    CHECK_MESSAGE(measured{ran.out}.connected == 20, "not twenty connections: " << ran.out);
    CHECK_MESSAGE(ran.out.find("p99") != std::string::npos, "no latency is told");
}

TEST_CASE("a refused connection is tried again ever more slowly until the deadline and the code is named") {
    const plain_server nobody{[](SOCKET) {}};
    const deadline soonest{400ms};
    const finished_program ran =
        run_to_end(arguments(nobody.port(), {L"--count", L"3", L"--seconds", L"9", L"--patience", L"1"}));
    INFO("it says: ", ran.out, ran.err);
    const measured seen{ran.out};
    CHECK_MESSAGE(ran.status == 1, "nobody could connect, and the status is " << ran.status);
    CHECK_MESSAGE(soonest.passed(), "it has given up long before its second was over");
    CHECK_MESSAGE(seen.given_up == 3, "not each connection has given up");
    CHECK_MESSAGE(seen.retries >= 3 * 3, "it has hardly tried again");
    CHECK_MESSAGE(seen.retries <= 3 * 8, "its pauses do not get longer");
    CHECK_MESSAGE(ran.err.find("given up): 1225 ") != std::string::npos, "the code is not named");
    CHECK_MESSAGE(ran.out.find("failure 1225: 3 times") != std::string::npos, "the code is not counted");
}

TEST_CASE("a connection that has met itself is no echo server") {
    std::wstring port;
    {
        const plain_server nobody{[](SOCKET) {}};
        port = nobody.port(); // and now nobody has it
    }
    const finished_program ran =
        run_to_end(arguments(port, {L"--local-port", port, L"--count", L"1", L"--seconds", L"1", L"--patience", L"1"}));
    INFO("it says: ", ran.out, ran.err);
    CHECK_MESSAGE(measured{ran.out}.echoes == 0, "it has taken its own bytes for echoes");
    CHECK_MESSAGE(ran.status == 1, "there is no server, and the status is " << ran.status);
}

TEST_CASE("a server that starts late is reached") {
    plain_server late{[](SOCKET one) { echo(one, as_it_is); }};
    std::vector<std::wstring> words{the_options().program.wstring()};
    const auto more = arguments(late.port(), {L"--count", L"1", L"--seconds", L"1", L"--patience", L"3"});
    words.insert(words.end(), more.begin(), more.end());
    child client{quoted(words), 0};
    REQUIRE_MESSAGE(client.err().line_beginning("ConnectEx ", deadline()), "it was not refused");
    late.listen();
    const std::optional<DWORD> status = client.wait(deadline());
    REQUIRE_MESSAGE(status, "it does not end");
    check_all_well({*status, client.out().text(), client.err().text()});
    CHECK_MESSAGE(measured{client.out().text()}.retries > 0, "it was there at once");
}

TEST_CASE("a wrong byte is noticed and ends in status 1") {
    plain_server bad{[](SOCKET one) {
        echo(one, [](char* bytes, int count, std::size_t offset) {
            if (offset <= 5000 && offset + static_cast<std::size_t>(count) > 5000) {
                bytes[5000 - offset] = static_cast<char>(bytes[5000 - offset] ^ 1);
            }
        });
    }};
    bad.listen();
    const finished_program ran =
        run_to_end(arguments(bad.port(), {L"--count", L"1", L"--size", L"1000", L"--seconds", L"9"}));
    INFO("it says: ", ran.out, ran.err);
    const measured seen{ran.out};
    CHECK_MESSAGE(ran.status == 1, "a byte was wrong, and the status is " << ran.status);
    CHECK_MESSAGE(seen.wrong == 1, "the wrong byte is not told");
    CHECK_MESSAGE(seen.echoes == 5, "five echoes were right before it");
}

TEST_CASE("a connection that leaves is followed by another on the same socket or on a new one") {
    unsigned orderly = 0;
    plain_server server{[&orderly](SOCKET one) {
        std::size_t bytes = 0;
        echo(one, [&bytes](char*, int count, std::size_t) { bytes += static_cast<std::size_t>(count); });
        orderly += bytes == 2 * 64 ? 1 : 0;
    }};
    server.listen();
    const finished_program ran =
        run_to_end(arguments(server.port(), {L"--count", L"1", L"--echoes", L"2", L"--reuse", L"--seconds", L"1"}));
    check_all_well(ran);
    const measured seen{ran.out};
    INFO("it says: ", ran.out, ran.err);
    CHECK_MESSAGE(seen.connected > 1, "it has connected once only");
    CHECK_MESSAGE(orderly + 1 >= seen.connected, "the server has seen others than connections of two echoes");
    CHECK_MESSAGE(seen.reused + seen.replaced + 1 >= seen.connected, "a socket has left and nobody knows where it is");
}

TEST_CASE("a used socket that cannot be connected again is replaced by a new one however it says so" * needs_faults()) {
    plain_server server{[](SOCKET one) { echo(one, as_it_is); }};
    server.listen();
    // The second attempt is the first on a used socket. 10056 by the call and 10056 and 52 by the packet.
    for (const std::string fault : {"ConnectEx:10056:2", "ConnectEx_ends:10056:2", "ConnectEx_ends:52:2"}) {
        CAPTURE(fault);
        const finished_program ran = run_to_end_with_faults(
            fault, arguments(server.port(), {L"--count", L"1", L"--echoes", L"1", L"--reuse", L"--seconds", L"1"}));
        check_all_well(ran);
        const measured seen{ran.out};
        INFO("it says: ", ran.out, ran.err);
        CHECK_MESSAGE(seen.replaced > 0, "the socket was not replaced");
        CHECK_MESSAGE(seen.connected > 2, "it has not gone on");
        CHECK_MESSAGE(seen.retries == 0, "it has waited, though the server was there all the time");
    }
}

TEST_CASE("a refusal by this machine is asked to be final and without that the client is as right" * needs_faults()) {
    plain_server server{[](SOCKET one) { echo(one, as_it_is); }};
    server.listen();
    const finished_program ran = run_to_end_with_faults(
        "SIO_TCP_INITIAL_RTO:10055:1", arguments(server.port(), {L"--count", L"2", L"--seconds", L"1"}));
    check_all_well(ran);
    CHECK_MESSAGE(measured{ran.out}.connected == 2, "not two connections: " << ran.out);
    CHECK_MESSAGE(ran.err.starts_with("WSAIoctl SIO_TCP_INITIAL_RTO: 10055 "), "it has not asked: " << ran.err);
}

TEST_CASE("a name with two addresses is served at the second when the first refuses" * needs_faults()) {
    plain_server second{[](SOCKET one) { echo(one, as_it_is); }};
    second.listen(); // on 127.0.0.1, and on ::1 there is nobody
    const finished_program ran = run_to_end_with_faults(
        "getaddrinfo_finds_two:1:1",
        arguments(second.port(), {L"--host", L"127.0.0.1", L"--count", L"2", L"--seconds", L"1"}));
    check_all_well(ran);
    INFO("it says: ", ran.out, ran.err);
    CHECK_MESSAGE(ran.err.find("ConnectEx [::1]:") != std::string::npos, "it has not tried the first one");
    CHECK_MESSAGE(measured{ran.out}.retries == 2, "each of the two was to be refused once");
}

TEST_CASE("an address of a family that this machine does not have is left out" * needs_faults()) {
    plain_server second{[](SOCKET one) { echo(one, as_it_is); }};
    second.listen();
    const finished_program ran = run_to_end_with_faults(
        "getaddrinfo_finds_two:1:1 WSASocketW:10047:1",
        arguments(second.port(), {L"--host", L"127.0.0.1", L"--count", L"1", L"--seconds", L"1"}));
    check_all_well(ran);
    INFO("it says: ", ran.out, ran.err);
    CHECK_MESSAGE(ran.out.starts_with("1 connections to 127.0.0.1:"), "it does not begin with the address that it has");
    CHECK_MESSAGE(measured{ran.out}.retries == 0, "it has tried the other one");
}

TEST_CASE("a name that has addresses of missing families only ends the start with the code" * needs_faults()) {
    const finished_program ran =
        run_to_end_with_faults("WSASocketW:10047:1-", arguments(L"6000", {L"--host", L"localhost"}));
    CHECK(ran.status == 1);
    CHECK_MESSAGE(ran.err.starts_with("WSASocketW localhost: 10047 "), "it says: " << ran.err);
}

TEST_CASE("a new socket is not replaced without end" * needs_faults()) {
    plain_server server{[](SOCKET one) { echo(one, as_it_is); }};
    server.listen();
    const finished_program ran = run_to_end_with_faults( // all attempts fail but the first
        "ConnectEx_ends:10056:2-",
        arguments(server.port(), {L"--count", L"1", L"--echoes", L"1", L"--reuse", L"--seconds", L"9"}));
    INFO("it says: ", ran.out, ran.err);
    const measured seen{ran.out};
    CHECK_MESSAGE(seen.connected == 1, "the first attempt was to succeed alone");
    CHECK_MESSAGE(seen.replaced == 1, "sockets were replaced " << seen.replaced << " times");
    CHECK_MESSAGE(seen.given_up == 1, "it has not given up");
    CHECK_MESSAGE(ran.out.find("failure 10056: 1 times") != std::string::npos, "the code is not counted");
}

TEST_SUITE_BEGIN("long");

TEST_CASE("an attempt that nobody answers is given up at the deadline") {
    const full_listener nobody;
    const deadline soonest{900ms};
    const finished_program ran =
        run_to_end(arguments(nobody.port(), {L"--count", L"2", L"--seconds", L"9", L"--patience", L"1"}));
    INFO("it says: ", ran.out, ran.err);
    const measured seen{ran.out};
    CHECK_MESSAGE(ran.status == 1, "nobody could connect, and the status is " << ran.status);
    CHECK_MESSAGE(soonest.passed(), "it has given up before its second was over");
    CHECK_MESSAGE(seen.given_up == 2, "not each connection has given up");
    if (nobody.answers()) { // so Windows does it: this is the case of a refused connection then
        CHECK_MESSAGE(ran.out.find("failure 1225: 2 times") != std::string::npos, "the code is not counted");
    } else {
        CHECK_MESSAGE(seen.retries == 0, "an attempt that was in flight has been made again");
        CHECK_MESSAGE(ran.err.find("(try 1, given up): 10060 ") != std::string::npos, "the code is not named");
        CHECK_MESSAGE(ran.out.find("failure 10060: 2 times") != std::string::npos, "the code is not counted");
    }
}

TEST_CASE("a name is looked up and its server is reached") {
    plain_server server{[](SOCKET one) { echo(one, as_it_is); }};
    server.listen(); // on 127.0.0.1 alone, whatever else localhost is
    check_all_well(
        run_to_end(arguments(server.port(), {L"--host", L"localhost", L"--count", L"1", L"--seconds", L"1"})));
}

TEST_CASE("a thousand connections at a time are served and end by themselves") {
    const second_program server{"17_echo_server"};
    const finished_program ran = run_to_end(arguments(std::to_wstring(server.where().port),
                                                      {L"--count", L"1000", L"--seconds", L"5", L"--patience", L"60"}));
    check_all_well(ran);
    CHECK_MESSAGE(measured{ran.out}.connected == 1000, "not a thousand connections: " << ran.out);
}

TEST_CASE("an echo larger than all buffers on the way comes back whole") {
    const second_program server{"17_echo_server"};
    check_all_well(run_to_end(arguments(std::to_wstring(server.where().port),
                                        {L"--count", L"3", L"--size", L"1048576", L"--seconds", L"1"})));
}

TEST_CASE("a server that never answers is given up as 10060") {
    plain_server silent{[](SOCKET one) {
        char buffer[4096];
        while (::recv(one, buffer, sizeof buffer, 0) > 0) {
        }
    }};
    silent.listen();
    const finished_program ran =
        run_to_end(arguments(silent.port(), {L"--count", L"1", L"--seconds", L"1", L"--patience", L"1"}));
    INFO("it says: ", ran.out, ran.err);
    CHECK_MESSAGE(ran.err.find("echo: 10060 ") != std::string::npos, "the code is not named");
    CHECK_MESSAGE(measured{ran.out}.echoes == 0, "it tells of echoes that nobody has sent");
}

TEST_CASE("a server that closes while it owes bytes is told from one that does not") {
    plain_server hasty{[](SOCKET one) {
        char buffer[64];
        const int got = ::recv(one, buffer, sizeof buffer, 0);
        ::send(one, buffer, got / 2, 0);
        ::shutdown(one, SD_SEND);
        while (::recv(one, buffer, sizeof buffer, 0) > 0) {
        }
    }};
    hasty.listen();
    const finished_program ran = run_to_end(arguments(hasty.port(), {L"--count", L"1", L"--seconds", L"1"}));
    INFO("it says: ", ran.out, ran.err);
    CHECK_MESSAGE(measured{ran.out}.ended_early > 0, "it has not noticed");
}

TEST_CASE("a name that nobody has ends the start with the code") {
    const finished_program ran = run_to_end({L"--host", L"no.such.name.invalid"});
    CHECK_MESSAGE(ran.status == 1, "the status is " << ran.status);
    CHECK_MESSAGE(ran.err.find("getaddrinfo no.such.name.invalid: 11001 ") != std::string::npos, ran.err);
}

TEST_SUITE_END();
