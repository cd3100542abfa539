#include "common/operation.hpp"

#include "common/port.hpp"

#include <doctest/doctest.h>

namespace {

struct counted : iocp::operation {
    explicit counted(int& living) : alive{living} { ++alive; }
    ~counted() { --alive; }
    int& alive;
    int payload = 42;
};

} // namespace

TEST_CASE("a lent operation belongs to nobody until it is taken back") {
    int alive = 0;
    counted* lent = nullptr;
    {
        auto mine = std::make_unique<counted>(alive);
        lent = iocp::lend(std::move(mine));
        CHECK(mine == nullptr);
    }
    CHECK(alive == 1);
    {
        const auto back = iocp::take_back<counted>(lent);
        CHECK(back.get() == lent);
        CHECK(back->payload == 42);
    }
    CHECK(alive == 0);
}

TEST_CASE("an operation goes through a port and comes back as itself") {
    int alive = 0;
    const iocp::unique_handle port = iocp::make_port(0);
    counted* const lent = iocp::lend(std::make_unique<counted>(alive));
    REQUIRE(::PostQueuedCompletionStatus(port.get(), 7, 99, lent));
    const iocp::packet packet = iocp::dequeue(port, 5000);
    REQUIRE(packet.overlapped == lent);
    CHECK(packet.ended.bytes == 7);
    CHECK(packet.key == 99);
    CHECK(packet.ended.error == ERROR_SUCCESS);
    CHECK(iocp::take_back<counted>(packet.overlapped)->payload == 42);
    CHECK(alive == 0);
}

TEST_CASE("an operation is cleared of its last result and of nothing else") {
    int alive = 0;
    counted one{alive};
    one.Internal = 995;
    one.InternalHigh = 17;
    one.Offset = 3;
    one.payload = 5;
    one.clear();
    CHECK(one.Internal == 0);
    CHECK(one.InternalHigh == 0);
    CHECK(one.Offset == 0);
    CHECK(one.hEvent == nullptr);
    CHECK(one.payload == 5);
}

TEST_CASE("an empty port says that the wait timed out") {
    const iocp::unique_handle port = iocp::make_port(0);
    const iocp::packet packet = iocp::dequeue(port, 0);
    CHECK(packet.overlapped == nullptr);
    CHECK(packet.ended.error == WAIT_TIMEOUT);
}

TEST_CASE("only a handle can be tied to a port") {
    const iocp::unique_handle port = iocp::make_port(0);
    CHECK_THROWS_WITH_AS(iocp::associate(INVALID_SOCKET - 8, port, 1), doctest::Contains("CreateIoCompletionPort: "),
                         iocp::call_error);
}
