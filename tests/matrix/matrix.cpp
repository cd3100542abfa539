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

// Who can tell of the end, in the order in which a look asks them.
enum class teller { call, event, packet, routine };

// Who has told of it, in the order in which they were heard.
using tidings = std::vector<teller>;

bool has(const tidings& seen, teller one) {
    return std::ranges::find(seen, one) != seen.end();
}

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
        while (in_flight && look(deadline_ms).empty()) {
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
    // Looks at what could tell, one after the other, up to `last`, and takes what is there. Each
    // look waits for `patience` at most, alertably: what could call a routine, may.
    tidings look(DWORD patience, teller last = teller::routine) {
        tidings seen;
        const int before = routines;
        if (has_event(how) && last >= teller::event &&
            ::WaitForSingleObjectEx(event.get(), patience, TRUE) == WAIT_OBJECT_0) {
            seen.push_back(teller::event);
            CHECK(::WSAResetEvent(event.get()));
        }
        if (has_port(how) && last >= teller::packet) {
            const DWORD limit = how == way::low_bit ? 0 : patience;
            const iocp::packet packet = iocp::dequeue(port, limit);
            if (packet.overlapped) {
                seen.push_back(teller::packet);
                CHECK(packet.overlapped == &operation);
            }
        }
        if (how == way::routine && last >= teller::routine) {
            ::SleepEx(patience, TRUE);
        }
        seen.insert(seen.end(), static_cast<std::size_t>(routines - before), teller::routine);
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
std::string_view told_by(const tidings& seen) {
    return has(seen, teller::event) && has(seen, teller::packet) ? "the event and a packet"
           : has(seen, teller::event)                            ? "the event"
           : has(seen, teller::packet)                           ? "a packet"
           : has(seen, teller::routine)                          ? "the routine"
                                                                 : "the call";
}

std::string_view how_often(const tidings& seen) {
    for (const teller one : seen) {
        if (std::ranges::count(seen, one) > 1) {
            return "several times";
        }
    }
    return seen.size() > 1 ? "once each" : "once";
}

std::string_view thread(const tidings& elsewhere, const tidings& here) {
    if (elsewhere.empty() && here.empty()) {
        return "the submitting one";
    }
    if (!has(elsewhere, teller::routine) && has(here, teller::routine)) {
        return "the submitting one: in an alertable wait";
    }
    return has(elsewhere, teller::event) && has(elsewhere, teller::packet)
               ? "any that waits for it and any that dequeues"
           : has(elsewhere, teller::event)  ? "any that waits for it"
           : has(elsewhere, teller::packet) ? "any that dequeues"
                                            : "another one";
}

// What the table says of the moment at which the memory is back.
teller gives_back(std::string_view when) {
    if (when == "a wait reports the event") {
        return teller::event;
    }
    if (when == "the packet is dequeued") {
        return teller::packet;
    }
    if (when == "the routine is entered") {
        return teller::routine;
    }
    REQUIRE(when == "the call returns");
    return teller::call;
}

void append(tidings& to, const tidings& more) {
    to.insert(to.end(), more.begin(), more.end());
}

// One cell, from the submit until nothing more can come.
void check(outcome what, way how) {
    cell one{how};
    one.submit(what);
    if (what == outcome::pending) {
        CHECK_MESSAGE(one.look(0).empty(), "it tells before there is anything to tell");
        one.say_hello();
    }
    const row expected = row_of_this_case();

    // [threads]
    // Another thread looks first. What is for anybody is found there. Neither looks further than
    // the table says that it must.
    const teller last = gives_back(expected.back_when);
    tidings elsewhere;
    tidings here;
    if (last != teller::call) {
        const DWORD patience = how == way::routine ? absence_ms : deadline_ms;
        std::thread{[&] { elsewhere = one.look(patience, last); }}.join();
        here = one.look(how == way::routine ? deadline_ms : 0, last);
    }
    // [/threads]
    tidings seen = elsewhere;
    append(seen, here);
    CHECK_MESSAGE((seen.empty() ? teller::call : seen.back()) == last,
                  "it has not told of the end, or not as the last");
    if (what != outcome::failure) {
        CHECK(one.has_the_word());
    }

    // Now it is ours again. Nothing tells of it after that, and nothing is written.
    one.take_back();
    const tidings late = one.look(absence_ms);
    CHECK_MESSAGE(late.empty(), "memory that is back is told of");
    CHECK_MESSAGE(one.is_left_alone(), "memory that is back has been written to");
    append(seen, late);

    CHECK(told_by(seen) == expected.told_by);
    CHECK(thread(elsewhere, here) == expected.thread);
    CHECK(how_often(seen) == expected.how_often);
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
    REQUIRE(one.look(deadline_ms) == tidings{teller::event});
    CHECK(one.result() == 0);
    one.take_back();
}

TEST_CASE("a submit that names a routine is refused on a socket that has a port") {
    cell one{way::port};
    CHECK(one.receive_into(entered) == WSAEINVAL);
    CHECK(one.look(absence_ms).empty());
}

TEST_CASE("when the event of an operation on a port is set the operation's packet is still in the port") {
    for (const outcome what : {outcome::success, outcome::pending}) {
        cell one{way::port_and_event};
        one.submit(what);
        if (what == outcome::pending) {
            one.say_hello();
        }
        REQUIRE(one.look(deadline_ms, teller::event) == tidings{teller::event});
        CHECK(one.look(absence_ms) == tidings{teller::packet}); // with the address of the operation
        one.take_back();
    }
}
