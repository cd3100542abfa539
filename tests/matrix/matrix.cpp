// The matrix: a submit has three outcomes, and there are six ways of being told. A case for each cell. It makes the
// cell happen, looks from another thread and from its own at everything that could tell, and compares what it has seen
// with the row of docs/encores/matrix.csv.

#include "common/event.hpp"
#include "common/overlapped_socket.hpp"
#include "common/port.hpp"
#include "common/skip_mode.hpp"
#include "common/unique.hpp"
#include "common/winsock.hpp"
#include "matrix_csv.hpp"
#include "tests/support/csv.hpp"
#include "tests/support/loopback.hpp"

#include <winsock2.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

constexpr DWORD deadline_ms = 5000; // for what must come
constexpr DWORD absence_ms = 50;    // for what must not come: long enough for what is on its way
constexpr std::string_view word = "hello";

enum class way { event, routine, port, skip_mode, port_and_event, low_bit };
enum class outcome { success, pending, failure };

bool has_event(way how) {
    return how == way::event || how == way::port_and_event || how == way::low_bit;
}

bool has_port(way how) {
    return how != way::event && how != way::routine;
}

// What is lent, and what its routine writes down.
struct receive : OVERLAPPED {
    receive() : OVERLAPPED{} {}

    char buffer[64] = "";
    int* routines = nullptr; // how many were entered
};

void CALLBACK entered(DWORD error, DWORD bytes, WSAOVERLAPPED* overlapped, DWORD) {
    CHECK(error == 0);
    CHECK(bytes == word.size());
    ++*static_cast<receive*>(overlapped)->routines;
}

// What has told of the end, as often as it did.
struct tidings {
    int events = 0;
    int packets = 0;
    int routines = 0;

    int all() const { return events + packets + routines; }
};

// Two connected sockets, and one receive on `ours` that is told of in one way.
class cell {
public:
    explicit cell(way which) : how{which} {
        support::connect_over_loopback(ours, theirs);
        // [ways]
        if (has_port(how)) {
            iocp::associate(ours.get(), port);
        }
        if (how == way::skip_mode) {
            REQUIRE(iocp::turn_on_skip_mode(ours.get()));
        }
        if (has_event(how)) {
            const std::uintptr_t bit = how == way::low_bit ? 1 : 0;
            operation.hEvent = reinterpret_cast<HANDLE>(reinterpret_cast<std::uintptr_t>(event.get()) | bit);
        }
        // [/ways]
        operation.routines = &routines;
    }

    // Ends what is in flight and waits for it: also where a check has failed in between.
    ~cell() {
        iocp::cancel_and_close(ours);
        while (in_flight && look(deadline_ms).all() == 0) {
        }
    }
    cell(const cell&) = delete;
    cell& operator=(const cell&) = delete;

    // [submit]
    // Returns 0, 997, or another code; in the last case nothing is in flight.
    int receive_into(LPWSAOVERLAPPED_COMPLETION_ROUTINE routine) {
        WSABUF room{sizeof operation.buffer, operation.buffer};
        DWORD flags = 0;
        const int returned = ::WSARecv(ours.get(), &room, 1, nullptr, &flags, &operation, routine);
        const int code = returned == 0 ? 0 : ::WSAGetLastError();
        in_flight = code == 0 || code == WSA_IO_PENDING;
        return code;
    }
    // [/submit]

    // What the system says of the operation: 0 or its code when it has ended, 996 before.
    int result() {
        DWORD bytes = 0;
        DWORD flags = 0;
        return ::WSAGetOverlappedResult(ours.get(), &operation, &bytes, FALSE, &flags) ? 0 : ::WSAGetLastError();
    }

    // [outcomes]
    // Brings about an outcome.
    void submit(outcome wanted) {
        if (wanted == outcome::success) {
            say_hello();
            WSAPOLLFD readable{ours.get(), POLLRDNORM, 0};
            REQUIRE(::WSAPoll(&readable, 1, deadline_ms) == 1); // it is here
        } else if (wanted == outcome::failure) {
            REQUIRE(::shutdown(ours.get(), SD_RECEIVE) == 0);
        }
        const int code = receive_into(how == way::routine ? entered : nullptr);
        if (wanted == outcome::success) {
            REQUIRE(code == 0);
        } else if (wanted == outcome::pending) {
            REQUIRE(code == WSA_IO_PENDING);
        } else {
            REQUIRE(code == WSAESHUTDOWN);
        }
    }
    // [/outcomes]

    void say_hello() const {
        REQUIRE(::send(theirs.get(), word.data(), static_cast<int>(word.size()), 0) == static_cast<int>(word.size()));
    }

    // [look]
    // Looks once at everything that could tell, and takes what is there. Each look waits for
    // `patience` at most, alertably: what could call a routine, may.
    tidings look(DWORD patience) {
        tidings seen;
        const int before = routines;
        if (has_event(how)) {
            if (::WaitForSingleObjectEx(event.get(), patience, TRUE) == WAIT_OBJECT_0) {
                ++seen.events;
                CHECK(::WSAResetEvent(event.get()));
            }
        }
        if (has_port(how)) {
            const DWORD limit = how == way::low_bit ? 0 : patience;
            const iocp::packet packet = iocp::dequeue(port, limit);
            if (packet.overlapped) {
                ++seen.packets;
                CHECK(packet.overlapped == &operation);
            }
        }
        if (how == way::routine) {
            ::SleepEx(patience, TRUE);
        }
        seen.routines = routines - before;
        return seen;
    }
    // [/look]

    // Not a byte of what was lent is written any more.
    void take_back() {
        in_flight = false;
        operation.Internal = operation.InternalHigh = 0x5a5a5a5a;
        std::ranges::fill(operation.buffer, 'Z');
    }
    bool is_left_alone() const {
        return operation.Internal == 0x5a5a5a5a && operation.InternalHigh == 0x5a5a5a5a &&
               std::ranges::all_of(operation.buffer, [](char one) { return one == 'Z'; });
    }

    bool has_the_word() const { return std::string_view{operation.buffer, word.size()} == word; }

private:
    const way how;
    const iocp::winsock winsock;
    const iocp::unique_handle port = iocp::make_port(0);
    const iocp::unique_event event = iocp::make_event();
    iocp::unique_socket ours;
    iocp::unique_socket theirs;
    receive operation;
    int routines = 0;
    bool in_flight = false;
};

// The row of the table whose case is running.
struct row {
    std::string_view outcome;
    std::string_view way;
    std::string_view told_by;
    std::string_view thread;
    std::string_view how_often;
    std::string_view back_when;
};

row row_of_this_case() {
    const std::string_view name = doctest::getContextOptions()->currentTest->m_name;
    for (const std::vector<std::string_view>& cells : support::csv_rows(matrix_csv)) {
        REQUIRE(cells.size() == 7);
        if (cells[6] == name) {
            return {cells[0], cells[1], cells[2], cells[3], cells[4], cells[5]};
        }
    }
    FAIL("docs/encores/matrix.csv has no row for this case");
    return {};
}

// In the words of the table.
std::string told_by(const tidings& seen) {
    return seen.events && seen.packets ? "the event and a packet"
           : seen.events               ? "the event"
           : seen.packets              ? "a packet"
           : seen.routines             ? "the routine"
                                       : "the call";
}

std::string how_often(const tidings& seen) {
    const int most = std::max({seen.events, seen.packets, seen.routines});
    if (most > 1) {
        return "several times";
    }
    return seen.all() > 1 ? "once each" : "once";
}

std::string thread(const tidings& elsewhere, const tidings& here) {
    if (elsewhere.all() + here.all() == 0) {
        return "the submitting one";
    }
    if (elsewhere.routines == 0 && here.routines > 0) {
        return "the submitting one: in an alertable wait";
    }
    return elsewhere.events && elsewhere.packets ? "any that waits for it and any that dequeues"
           : elsewhere.events                    ? "any that waits for it"
           : elsewhere.packets                   ? "any that dequeues"
                                                 : "another one";
}

std::string back_when(const tidings& seen) {
    return seen.packets    ? "the packet is dequeued"
           : seen.events   ? "a wait reports the event"
           : seen.routines ? "the routine is entered"
                           : "the call returns";
}

// One cell, from the submit until nothing more can come.
void check(outcome what, way how) {
    cell one{how};
    one.submit(what);
    if (what == outcome::pending) {
        CHECK_MESSAGE(one.look(0).all() == 0, "it tells before there is anything to tell");
        one.say_hello();
    }
    const row expected = row_of_this_case();
    const bool by_call = expected.told_by == "the call";

    // [threads]
    // Another thread looks first. What is for anybody is found there.
    tidings elsewhere;
    if (!by_call) {
        const DWORD patience = how == way::routine ? absence_ms : deadline_ms;
        std::thread{[&] { elsewhere = one.look(patience); }}.join();
    }
    tidings seen = elsewhere;
    const tidings here = by_call ? tidings{} : one.look(how == way::routine ? deadline_ms : 0);
    // [/threads]
    seen.events += here.events;
    seen.packets += here.packets;
    seen.routines += here.routines;
    if (what != outcome::failure) {
        CHECK(one.has_the_word());
    }

    if (!by_call) {
        REQUIRE_MESSAGE(seen.all() > 0, "nobody has told");
    }
    // Now it is ours again. Nothing tells a second time, and nothing is written.
    one.take_back();
    const tidings late = one.look(absence_ms);
    seen.events += late.events;
    seen.packets += late.packets;
    seen.routines += late.routines;
    CHECK_MESSAGE(one.is_left_alone(), "memory that is back has been written to");

    CHECK(told_by(seen) == expected.told_by);
    CHECK(thread(elsewhere, here) == expected.thread);
    CHECK(how_often(seen) == expected.how_often);
    CHECK(back_when(seen) == expected.back_when);
}

} // namespace

TEST_CASE("an event is set for a receive that has succeeded at once") {
    check(outcome::success, way::event);
}

TEST_CASE("a routine runs for a receive that has succeeded at once") {
    check(outcome::success, way::routine);
}

TEST_CASE("a packet comes for a receive that has succeeded at once") {
    check(outcome::success, way::port);
}

TEST_CASE("in skip mode the call is all that tells of a receive that has succeeded at once") {
    check(outcome::success, way::skip_mode);
}

TEST_CASE("a packet comes and the event is set for a receive that has succeeded at once") {
    check(outcome::success, way::port_and_event);
}

TEST_CASE("with the low bit the event alone tells of a receive that has succeeded at once") {
    check(outcome::success, way::low_bit);
}

TEST_CASE("an event is set when a pending receive has ended") {
    check(outcome::pending, way::event);
}

TEST_CASE("a routine runs when a pending receive has ended") {
    check(outcome::pending, way::routine);
}

TEST_CASE("a packet comes when a pending receive has ended") {
    check(outcome::pending, way::port);
}

TEST_CASE("a packet comes in skip mode too when a pending receive has ended") {
    check(outcome::pending, way::skip_mode);
}

TEST_CASE("a packet comes and the event is set when a pending receive has ended") {
    check(outcome::pending, way::port_and_event);
}

TEST_CASE("with the low bit the event alone tells when a pending receive has ended") {
    check(outcome::pending, way::low_bit);
}

TEST_CASE("no event is set for a receive that has failed at once") {
    check(outcome::failure, way::event);
}

TEST_CASE("no routine runs for a receive that has failed at once") {
    check(outcome::failure, way::routine);
}

TEST_CASE("no packet comes for a receive that has failed at once") {
    check(outcome::failure, way::port);
}

TEST_CASE("no packet comes in skip mode for a receive that has failed at once") {
    check(outcome::failure, way::skip_mode);
}

TEST_CASE("neither packet nor event comes for a receive that has failed at once") {
    check(outcome::failure, way::port_and_event);
}

TEST_CASE("with the low bit no event is set for a receive that has failed at once") {
    check(outcome::failure, way::low_bit);
}

TEST_CASE("the result of an operation is 996 until it has ended and tells as well as the event") {
    cell one{way::event};
    one.submit(outcome::pending);
    CHECK(one.result() == WSA_IO_INCOMPLETE);
    one.say_hello();
    REQUIRE(one.look(deadline_ms).events == 1);
    CHECK(one.result() == 0);
    one.take_back();
}

TEST_CASE("a submit that names a routine is refused on a socket that has a port") {
    cell one{way::port};
    CHECK(one.receive_into(entered) == WSAEINVAL);
    CHECK(one.look(absence_ms).all() == 0);
}
