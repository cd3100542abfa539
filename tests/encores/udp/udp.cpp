// The encore udp: an echo server of datagrams. Nobody connects, so these tests send and receive datagrams themselves.

#include "tests/support/cases.hpp"
#include "tests/support/chapter.hpp"
#include "tests/support/child.hpp"
#include "tests/support/deadline.hpp"
#include "tests/support/failure.hpp"
#include "tests/support/faulty_server.hpp"
#include "tests/support/options.hpp"
#include "tests/support/pattern.hpp"
#include "tests/support/server.hpp"

#include <doctest/doctest.h>

#include <winsock2.h>

#include <ws2tcpip.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

using namespace support;

constinit const chapter_info support::chapter{.number = encore, .name = "udp"};

namespace {

// The longest datagram that IPv4 carries.
constexpr std::size_t longest = 65'507;

[[noreturn]] void fail(const char* call) {
    throw failure(call, static_cast<unsigned long>(::WSAGetLastError()));
}

// Once for all threads: when several start and end Winsock at the same time Wine 8 closes sockets that are in use.
struct winsock {
    winsock() {
        WSADATA about{};
        if (::WSAStartup(MAKEWORD(2, 2), &about) != 0) {
            throw failure("WSAStartup");
        }
    }
    ~winsock() { ::WSACleanup(); }
    winsock(const winsock&) = delete;
    winsock& operator=(const winsock&) = delete;
};

// Sends datagrams to a server and hears from nobody else.
class sender {
public:
    explicit sender(const endpoint& where) {
        static const winsock for_all;
        addrinfo hints{};
        hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
        hints.ai_socktype = SOCK_DGRAM;
        addrinfo* found = nullptr;
        if (::getaddrinfo(where.host.c_str(), std::to_string(where.port).c_str(), &hints, &found) != 0) {
            throw failure("getaddrinfo " + where.text());
        }
        socket_ = ::socket(found->ai_family, SOCK_DGRAM, IPPROTO_UDP);
        const int refused = ::connect(socket_, found->ai_addr, static_cast<int>(found->ai_addrlen));
        ::freeaddrinfo(found);
        if (refused != 0) {
            fail("connect");
        }
    }
    ~sender() { close(); }
    sender(const sender&) = delete;
    sender& operator=(const sender&) = delete;

    void send(std::string_view datagram) {
        const int length = static_cast<int>(datagram.size());
        if (::send(socket_, datagram.data(), length, 0) != length) {
            fail("send");
        }
    }

    // The next datagram; a failure when none comes.
    std::string receive() {
        WSAPOLLFD readable{socket_, POLLRDNORM, 0};
        const int ready = ::WSAPoll(&readable, 1, static_cast<INT>(patience.count()));
        if (ready != 1) {
            throw failure("no datagram came");
        }
        std::string room(longest, '\0');
        const int length = ::recv(socket_, room.data(), static_cast<int>(room.size()), 0);
        if (length == SOCKET_ERROR) {
            fail("recv");
        }
        room.resize(static_cast<std::size_t>(length));
        return room;
    }

    void close() { ::closesocket(std::exchange(socket_, INVALID_SOCKET)); }

private:
    SOCKET socket_ = INVALID_SOCKET;
};

// What the last line of a server that has ended counts, up to what is in flight.
std::string counts(server& ended) {
    check_stops(ended);
    check_nothing_in_flight(ended);
    const std::string out = ended.out();
    const std::size_t begin = out.find("echoed: ");
    REQUIRE_MESSAGE(begin != std::string::npos, "it has not said what it counted: " << out);
    return out.substr(begin, out.find(", 0 in flight") - begin);
}

// Sends `count` numbered datagrams of some 500 bytes and checks that each comes back once. Few are on their way at a
// time: what a system has no room for it throws away.
void ask(const endpoint& where, std::size_t number, std::size_t count) {
    constexpr std::size_t on_their_way = 4;
    constexpr std::size_t size = 500;
    sender one(where);
    std::multiset<std::string> missing;
    for (std::size_t asked = 0; asked < count || !missing.empty();) {
        if (asked < count && missing.size() < on_their_way) {
            std::string datagram = std::to_string(asked++) + " " + pattern(size, number);
            one.send(datagram);
            missing.insert(std::move(datagram));
            continue;
        }
        const auto found = missing.find(one.receive());
        if (found == missing.end()) {
            throw failure("a datagram came twice, or changed");
        }
        missing.erase(found);
    }
}

void ask_at_once(const endpoint& where, std::size_t senders, std::size_t count) {
    std::vector<std::string> problems(senders);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < senders; ++i) {
        threads.emplace_back([&, i] {
            try {
                ask(where, i, count);
            } catch (const std::exception& problem) {
                problems[i] = problem.what();
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    for (const std::string& problem : problems) {
        CHECK(problem == "");
    }
}

} // namespace

TEST_CASE("each datagram comes back whole to whoever has sent it") {
    server running;
    sender first(running.where());
    sender second(running.where());
    for (const std::size_t size : {std::size_t{1}, std::size_t{1472}, std::size_t{9000}}) {
        first.send(pattern(size, 1));
        second.send(pattern(size, 2));
        CHECK(second.receive() == pattern(size, 2));
        CHECK(first.receive() == pattern(size, 1));
    }
    first.send(pattern(longest));
    CHECK(first.receive() == pattern(longest));
    CHECK(counts(running) == "echoed: 7 datagrams, 0 cut off, 0 answers lost");
    CHECK_MESSAGE(running.err().empty(), "it complains: " << running.err());
}

TEST_CASE("a datagram of no bytes comes back and ends nothing") {
    server running({L"--receives", L"1"});
    sender one(running.where());
    for (int i = 0; i < 3; ++i) {
        one.send("");
        CHECK(one.receive() == "");
        one.send("hello");
        CHECK(one.receive() == "hello");
    }
    CHECK(counts(running) == "echoed: 6 datagrams, 0 cut off, 0 answers lost");
}

TEST_CASE("a datagram that is too long is lost and nothing else is") {
    for (const wchar_t* const receives : {L"1", L"16"}) {
        server running({L"--room", L"100", L"--receives", receives});
        sender one(running.where());
        one.send(pattern(100));
        CHECK(one.receive() == pattern(100));
        for (int i = 0; i < 40; ++i) { // some find a receive in flight, some are there before it
            one.send(pattern(101));
        }
        one.send("short");
        CHECK(one.receive() == "short");
        CHECK(counts(running) == "echoed: 2 datagrams, 40 cut off, 0 answers lost");
        CHECK_MESSAGE(running.err().empty(), "it complains: " << running.err());
    }
}

TEST_CASE("two workers on one socket answer each datagram once") {
    server running({L"--workers", L"2"});
    ask_at_once(running.where(), 4, 250);
    CHECK(counts(running) == "echoed: 1000 datagrams, 0 cut off, 0 answers lost");
}

TEST_CASE("one receive in flight keeps the order") {
    server running({L"--receives", L"1"});
    sender one(running.where());
    for (int round = 0; round < 20; ++round) {
        for (int i = 0; i < 8; ++i) {
            one.send(std::to_string(i));
        }
        for (int i = 0; i < 8; ++i) {
            CHECK(one.receive() == std::to_string(i));
        }
    }
    check_stops(running);
}

TEST_CASE("a receive that is told of an answer that has found nobody is made again at once" * needs_faults()) {
    // By the call, with either code, and by the packet: each time with ten in a row, and one receive only.
    for (const char* const told : {"WSARecvFrom:10054:2-9 WSARecvFrom:10052:2-3", "WSARecvFrom_ends:1234:2-11"}) {
        CAPTURE(told);
        faulty_server running(told, {L"--receives", L"1"});
        sender one(running.where());
        for (const char* const datagram : {"first", "second", "third"}) {
            one.send(datagram);
            CHECK(one.receive() == datagram);
        }
        CHECK(counts(running) == "echoed: 3 datagrams, 0 cut off, 10 answers lost");
        CHECK_MESSAGE(running.err().empty(), "it complains: " << running.err());
    }
}

TEST_CASE("a receive that fails again and again waits for the clock" * needs_faults()) {
    faulty_server running("WSARecvFrom:10054:1-@", {L"--receives", L"1"});
    sender one(running.where());
    const deadline soonest{200ms}; // the clock comes each 250 ms
    running.switch_on();
    one.send("hello");
    running.wait_for_calls(2 * 17 + 1); // 17 at once, and no more until the clock has come twice
    CHECK_MESSAGE(soonest.passed(), "it tries again without a pause");
    running.switch_off();
    CHECK(one.receive() == "hello"); // it was received before all that, or has waited for the end of it
    check_stops(running);
    check_one_line(running.err(), "its error");
}

// Under Wine nobody is told of an answer that has found nobody: the case above shows here what this one shows there.
TEST_CASE("on Windows senders that are gone before their answers disturb nobody") {
    for (const bool told : {false, true}) {
        server running(told ? std::vector<std::wstring>{L"--tell"} : std::vector<std::wstring>{});
        sender stays(running.where());
        for (int i = 0; i < 30; ++i) {
            sender leaves(running.where());
            leaves.send("nobody waits for this");
            leaves.close();
            stays.send(std::to_string(i));
            CHECK(stays.receive() == std::to_string(i));
        }
        check_stops(running);
        check_nothing_in_flight(running);
        CHECK_MESSAGE(running.err().empty(), "it complains: " << running.err());
    }
}

TEST_CASE("Ctrl+C ends it with a thousand receives in flight") {
    server running({L"--receives", L"1000", L"--room", L"1000", L"--workers", L"4"});
    ask(running.where(), 0, 8);
    CHECK(counts(running) == "echoed: 8 datagrams, 0 cut off, 0 answers lost");
    CHECK_MESSAGE(running.err().empty(), "it complains: " << running.err());
}

TEST_CASE("the small client asks by datagrams and gives up when no answer comes") {
    server running({L"--room", L"10"});
    const std::filesystem::path talk = the_options().program.parent_path() / "talk.exe";
    child asks(quoted({talk.wstring(), L"--udp", L"--port", std::to_wstring(running.where().port)}), 0);
    asks.write("fifteen letters\nhello\n");
    CHECK(asks.err().line(0, deadline()) == "no answer in 1000 ms");
    CHECK(asks.out().line(0, deadline()) == "hello");
    check_stops(running);
}

TEST_CASE("it serves IPv6 and refuses a port that is taken") {
    server running({L"--host", L"::1"});
    ask(running.where(), 6, 20);
    const finished_program second = run_to_end({L"--host", L"::1", L"--port", std::to_wstring(running.where().port)});
    CHECK(second.status == 1);
    CHECK(second.out == "");
    CHECK(second.err.starts_with("bind [::1]:"));
    check_stops(running);
}

TEST_SUITE_BEGIN("long");

TEST_CASE("sixteen senders and eight workers lose no datagram") {
    server running({L"--workers", L"8", L"--receives", L"64"});
    ask_at_once(running.where(), 16, 500);
    CHECK(counts(running) == "echoed: 8000 datagrams, 0 cut off, 0 answers lost");
}

TEST_SUITE_END();
