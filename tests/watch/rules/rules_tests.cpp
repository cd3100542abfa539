// The rules, with the recorder told by hand what happens in which order: an order that threads would reach by chance
// only.

#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include "common/watch/recorder.hpp"
#include "common/watch/rules.hpp"

#include <span>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace iocp;

class noted final : public watch::reader {
public:
    void take(const watch::record& what) override { threads += what.kind == watch::record_kind::thread ? 1 : 0; }
    void take(const watch::finding& found) override { ids.emplace_back(found.what->id); }
    void lost_sight() override { ++lost; }
    void settle(bool, bool) override {}

    std::vector<std::string> ids;
    int threads = 0;
    int lost = 0;
};

// A socket on a port, and a thread that is inside WSARecv on it: it has submitted, and has not returned.
struct scene {
    scene() {
        record.made_socket("WSASocketW", socket, AF_INET, SOCK_STREAM, true, 0);
        record.made_port(port);
        record.associated(reinterpret_cast<HANDLE>(socket), port, 1);
        std::thread([this] {
            inside = record.submit({.call = "WSARecv", .handle = socket, .overlapped = &overlapped});
        }).join();
    }

    void dequeue() { record.dequeued(port, 1, &overlapped, 0, 0); }

    noted said{};
    watch::rules rules{said, false};
    watch::recorder record{rules, false};
    SOCKET socket = 500; // no call is made with these
    HANDLE port = reinterpret_cast<HANDLE>(std::uintptr_t{600});
    OVERLAPPED overlapped{};
    watch::ticket inside{};
};

// A socket whose operations are told by events.
struct events {
    events() {
        record.made_socket("WSASocketW", socket, AF_INET, SOCK_STREAM, true, 0);
        overlapped.hEvent = reinterpret_cast<HANDLE>(std::uintptr_t{700});
    }

    watch::ticket submit(const char* call, SOCKET on, OVERLAPPED& with) {
        return record.submit({.call = call, .handle = on, .overlapped = &with});
    }
    void pend(const watch::ticket& inside, OVERLAPPED& with) {
        with.Internal = watch::still_pending;
        record.returned(inside, false, std::nullopt, WSA_IO_PENDING);
    }
    // The system is done with it, and the program has waited for its event.
    void end(OVERLAPPED& one) {
        one.Internal = 0;
        record.signalled({&one.hEvent, 1});
    }

    noted said{};
    watch::rules rules{said, false};
    watch::recorder record{rules, false};
    SOCKET socket = 500; // no call is made with these
    SOCKET accepted = 504;
    OVERLAPPED overlapped{};
};

} // namespace

TEST_CASE("a socket may be closed by the thread that has the packet of a receive whose submit has not returned") {
    scene here;
    here.dequeue();
    here.record.closing("closesocket", here.socket);
    here.record.returned(here.inside, false, std::nullopt, WSA_IO_PENDING);
    CHECK(here.said.ids.empty());
}

TEST_CASE("a socket may not be closed while a receive is being submitted whose packet nobody has") {
    scene here;
    here.record.closing("closesocket", here.socket);
    CHECK(here.said.ids == std::vector<std::string>{"close-during-call"});
}

TEST_CASE("a socket may be closed with input unread while the cancel that has ended its send has not returned") {
    for (const bool cancelled : {false, true}) {
        scene here;
        here.dequeue();
        here.record.returned(here.inside, false, std::nullopt, WSA_IO_PENDING);
        const watch::ticket send =
            here.record.submit({.call = "WSASend", .handle = here.socket, .overlapped = &here.overlapped});
        here.record.returned(send, false, std::nullopt, WSA_IO_PENDING);
        watch::asked_to_end asked;
        if (cancelled) {
            asked = here.record.asks_to_end(here.socket, &here.overlapped);
        }
        // Some bytes had been sent, so the packet tells of no failure.
        here.record.dequeued(here.port, 1, &here.overlapped, 100, 0);
        here.record.closing("closesocket", here.socket, 4096);
        if (cancelled) {
            here.record.cancelled("CancelIoEx", here.socket, asked, true, 0);
        }
        CHECK(here.said.ids ==
              (cancelled ? std::vector<std::string>{} : std::vector<std::string>{"closed-with-unread-input"}));
    }
}

TEST_CASE("the thread that has the packet may receive again before the first submit has returned") {
    scene here;
    here.dequeue();
    const watch::ticket next =
        here.record.submit({.call = "WSARecv", .handle = here.socket, .overlapped = &here.overlapped});
    here.record.returned(here.inside, false, std::nullopt, WSA_IO_PENDING);
    here.record.returned(next, false, std::nullopt, WSA_IO_PENDING);
    CHECK(here.said.ids.empty());
}

TEST_CASE("a receive that is submitted while another thread submits one is named and so is its OVERLAPPED") {
    scene here;
    here.overlapped.Internal = 0x103; // STATUS_PENDING: the system has begun with it
    here.record.submit({.call = "WSARecv", .handle = here.socket, .overlapped = &here.overlapped});
    CHECK(here.said.ids == std::vector<std::string>{"concurrent-receive", "overlapped-reused"});
}

TEST_CASE("a packet that was posted with the OVERLAPPED of an operation in flight does not bring that back") {
    scene here;
    here.overlapped.Internal = 0x103; // STATUS_PENDING
    here.record.post(here.port, 7, 8, &here.overlapped);
    here.record.dequeued(here.port, 8, &here.overlapped, 7, 0);
    here.record.submit({.call = "WSASend", .handle = here.socket, .overlapped = &here.overlapped});
    CHECK(here.said.ids == std::vector<std::string>{"overlapped-reused"});
}

TEST_CASE("memory that is freed before the packet is named at once while the system says that it is in flight") {
    scene here;
    here.overlapped.Internal = 0x103; // STATUS_PENDING
    here.record.returned(here.inside, false, std::nullopt, WSA_IO_PENDING);
    here.record.freeing("free", &here.overlapped, sizeof here.overlapped);
    CHECK(here.said.ids == std::vector<std::string>{"freed-while-lent"});
}

TEST_CASE("memory that is freed after its operation has ended is named when the packet is dequeued") {
    scene here;
    here.record.returned(here.inside, true, 0, 0);
    here.record.freeing("free", &here.overlapped, sizeof here.overlapped);
    CHECK(here.said.ids.empty());
    here.dequeue();
    CHECK(here.said.ids == std::vector<std::string>{"freed-while-lent"});
}

TEST_CASE("memory may be freed whose packet nobody can dequeue because its socket and its port are closed") {
    scene here;
    here.overlapped.Internal = 0x103; // Windows writes the end there when the packet is dequeued
    here.record.returned(here.inside, false, std::nullopt, WSA_IO_PENDING);
    here.record.closing("closesocket", here.socket);
    here.record.closing_port(here.port);
    here.record.freeing("free", &here.overlapped, sizeof here.overlapped);
    CHECK(here.said.ids.empty());
}

TEST_CASE("memory may be gone when its operation has ended in a way that nobody has seen") {
    scene here;
    here.record.made_socket("WSASocketW", 501, AF_INET, SOCK_STREAM, true, 0);
    void* const page = ::VirtualAlloc(nullptr, 4096, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    REQUIRE(page != nullptr);
    const auto overlapped = static_cast<OVERLAPPED*>(page);
    overlapped->hEvent = reinterpret_cast<HANDLE>(std::uintptr_t{700});
    const watch::ticket inside = here.record.submit({.call = "WSARecv", .handle = 501, .overlapped = overlapped});
    here.record.returned(inside, false, std::nullopt, WSA_IO_PENDING);
    CHECK(::VirtualFree(page, 0, MEM_RELEASE));
    const HANDLE event = reinterpret_cast<HANDLE>(std::uintptr_t{700});
    here.record.waits_for(std::span(&event, 1));
    here.record.signalled(std::span(&event, 1));
    here.record.freeing("free", page, 4096);
    CHECK(here.said.ids.empty());
}

TEST_CASE("another thread may act on the event before the submit has returned") {
    for (const bool ended : {false, true}) {
        events here;
        const HANDLE event = here.overlapped.hEvent;
        watch::ticket inside;
        std::thread([&] { inside = here.submit("WSARecv", here.socket, here.overlapped); }).join();
        if (ended) { // the system has written there, and has set the event
            here.overlapped.Internal = 0;
            here.overlapped.InternalHigh = 5;
        }
        here.record.signalled({&event, 1});
        here.record.closing("closesocket", here.socket);
        CHECK(here.said.ids == (ended ? std::vector<std::string>{} : std::vector<std::string>{"close-during-call"}));
    }
}

TEST_CASE("an option that was set after a wait for the event of its operation is there when that is taken back") {
    for (const bool set : {false, true}) {
        events here;
        here.record.made_socket("WSASocketW", here.accepted, AF_INET, SOCK_STREAM, true, 0);
        const watch::ticket accept = here.record.submit({.call = "AcceptEx",
                                                         .handle = here.socket,
                                                         .accept_handle = here.accepted,
                                                         .overlapped = &here.overlapped,
                                                         .local_address_bytes = 32,
                                                         .remote_address_bytes = 32,
                                                         .family = AF_INET});
        here.pend(accept, here.overlapped);
        here.end(here.overlapped);
        if (set) {
            here.record.has_context(here.accepted);
        }
        // The same OVERLAPPED again, and only then a call that wants the option.
        here.pend(here.submit("WSARecv", here.socket, here.overlapped), here.overlapped);
        here.record.leave(here.record.enter("shutdown", here.accepted), true, 0, 0);
        CHECK(here.said.ids == (set ? std::vector<std::string>{} : std::vector<std::string>{"accept-context-missing"}));
    }
}

TEST_CASE("CancelIo may find that what its thread has submitted ended a moment ago") {
    for (const bool own : {false, true}) {
        events here;
        OVERLAPPED of_other{};
        of_other.hEvent = reinterpret_cast<HANDLE>(std::uintptr_t{704});
        watch::ticket send;
        std::thread([&] { send = here.submit("WSASend", here.socket, of_other); }).join();
        here.pend(send, of_other);
        if (own) {
            here.pend(here.submit("WSARecv", here.socket, here.overlapped), here.overlapped);
            here.overlapped.Internal = 0;
        }
        const watch::asked_to_end asked = here.record.asks_own_to_end(here.socket);
        here.record.cancelled("CancelIo", here.socket, asked, true, 0);
        CHECK(here.said.ids == (own ? std::vector<std::string>{} : std::vector<std::string>{"cancel-of-nothing"}));
    }
}

TEST_CASE("a routine that is never entered takes nothing from a thread that ends after its operation") {
    events here;
    std::thread([&] {
        here.pend(here.record.submit({.call = "WSARecv",
                                      .handle = here.socket,
                                      .overlapped = &here.overlapped,
                                      .routine = [](DWORD, DWORD, OVERLAPPED*, DWORD) {}}),
                  here.overlapped);
        here.overlapped.Internal = 0xC0000120; // STATUS_CANCELLED: it was asked to end, and has ended
        here.record.freeing("free", &here.overlapped, sizeof(OVERLAPPED));
        here.record.thread_ends();
    }).join();
    CHECK(here.said.ids.empty());
}

TEST_CASE("a post that has failed is taken back and not the packet of another one") {
    for (const ULONG_PTR failed : {1, 2}) {
        scene here;
        here.record.post(here.port, 0, 1, nullptr);
        here.record.post(here.port, 0, 2, nullptr);
        here.record.unpost(here.port, 0, failed, nullptr);
        here.record.dequeued(here.port, 3 - failed, nullptr, 0, 0);
        CHECK(here.said.ids.empty());
        here.record.dequeued(here.port, failed, nullptr, 0, 0);
        CHECK(here.said.ids == std::vector<std::string>{"packet-from-elsewhere"});
    }
}

TEST_CASE("a call on a socket that is closed already leaves none behind") {
    for (const DWORD code : {DWORD{WSAECONNRESET}, DWORD{WSAENOTSOCK}}) {
        events here;
        here.record.closing("closesocket", here.socket);
        const watch::ticket late = here.submit("WSARecv", here.socket, here.overlapped);
        here.record.returned(late, false, std::nullopt, code);
        here.record.program_ends(true, false);
        CHECK(here.said.ids ==
              (code == WSAENOTSOCK ? std::vector<std::string>{} : std::vector<std::string>{"socket-left"}));
    }
}

TEST_CASE("an operation on a socket of another process may be looked at while a thread has its packet in hand") {
    events here;
    constexpr SOCKET inherited = 508;
    OVERLAPPED with{};
    here.pend(here.submit("WSARecv", inherited, with), with);
    with.Internal = 0; // a thread has dequeued the packet, and has not told of it
    const watch::asked_to_end asked = here.record.asks_own_to_end(here.socket); // that looks at all that is in flight
    here.record.cancelled("CancelIo", here.socket, asked, true, 0);
    here.record.dequeued(reinterpret_cast<HANDLE>(std::uintptr_t{600}), 1, &with, 5, 0);
    CHECK(here.said.ids.empty());
}

TEST_CASE("an accept for a socket that is closed already leaves none behind") {
    events here;
    const watch::ticket accept = here.record.submit({.call = "AcceptEx",
                                                     .handle = here.socket,
                                                     .accept_handle = here.accepted, // nobody has made it
                                                     .overlapped = &here.overlapped,
                                                     .local_address_bytes = 32,
                                                     .remote_address_bytes = 32,
                                                     .family = AF_INET});
    here.record.returned(accept, false, std::nullopt, WSAENOTSOCK);
    here.record.closing("closesocket", here.socket);
    here.record.program_ends(true, false);
    CHECK(here.said.ids.empty());
}

TEST_CASE("two threads may receive on one datagram socket") {
    scene here;
    here.record.made_socket("WSASocketW", 501, AF_INET, SOCK_DGRAM, true, 0);
    OVERLAPPED first{};
    OVERLAPPED second{};
    std::thread([&] { here.record.submit({.call = "WSARecv", .handle = 501, .overlapped = &first}); }).join();
    here.record.submit({.call = "WSARecv", .handle = 501, .overlapped = &second});
    CHECK(here.said.ids.empty());
}

TEST_CASE("an operation may have no notification on a socket that was there before") {
    scene here;
    here.record.made_socket("WSASocketW", 501, AF_INET, SOCK_STREAM, false, 0);
    const watch::ticket inside = here.record.submit({.call = "WSARecv", .handle = 501, .overlapped = &here.overlapped});
    here.record.returned(inside, false, std::nullopt, WSA_IO_PENDING);
    CHECK(here.said.ids.empty());
}

TEST_CASE("a socket that gets the handle value of a closed one is another socket") {
    scene here;
    here.dequeue();
    here.record.closing("closesocket", here.socket);
    here.record.made_socket("WSASocketW", here.socket, AF_INET, SOCK_STREAM, true, 0);
    here.record.returned(here.inside, false, std::nullopt, WSA_IO_PENDING);
    here.record.closing("closesocket", here.socket);
    CHECK(here.said.ids.empty());
}

TEST_CASE("a thread that calls when its end was told is no new thread and one with the same id is") {
    noted said;
    watch::rules rules(said, false);
    watch::recorder record(rules, false);
    constexpr int many = 200; // the system gives their ids out again
    for (int i = 0; i < many; ++i) {
        std::thread([&record] {
            record.called("WSAPoll", 0, true, 0);
            record.thread_ends();
            record.called("WSAPoll", 0, true, 0); // say, from the destructor of a thread_local
        }).join();
    }
    CHECK(said.threads == many);
    for (int i = 0; i < many; ++i) {
        std::thread([&record] { record.called("WSAPoll", 0, true, 0); }).join(); // its end is not told
    }
    CHECK(said.threads == 2 * many);
}

namespace {

// A socket that is tied to the thread pool.
struct pool_scene {
    pool_scene() {
        record.made_socket("WSASocketW", socket, AF_INET, SOCK_STREAM, true, 0);
        record.ties_to_pool(io, socket, nullptr);
    }

    watch::ticket submit() { return record.submit({.call = "WSARecv", .handle = socket, .overlapped = &overlapped}); }
    void pend(const watch::ticket& inside) { record.returned(inside, false, std::nullopt, WSA_IO_PENDING); }
    void fail(const watch::ticket& inside) { record.returned(inside, false, std::nullopt, WSAECONNRESET); }
    void call_back() {
        record.entered_callback(io, &overlapped, 0, 0);
        record.left_callback(io);
    }

    noted said{};
    watch::rules rules{said, false};
    watch::recorder record{rules, false};
    SOCKET socket = 500; // no call is made with these
    PTP_IO io = reinterpret_cast<PTP_IO>(std::uintptr_t{700});
    OVERLAPPED overlapped{};
};

} // namespace

TEST_CASE("a callback may be over before the submit that it tells of has returned") {
    pool_scene here;
    here.record.announces(here.io);
    const watch::ticket inside = here.submit();
    here.call_back();
    here.pend(inside);
    here.record.announces(here.io);
    here.pend(here.submit());
    here.call_back();
    here.record.waits_for_callbacks(here.io, false);
    here.record.closes_pool_io(here.io);
    CHECK(here.said.ids.empty());
}

TEST_CASE("memory that is freed before the callback is entered is named") {
    pool_scene here;
    here.record.announces(here.io);
    here.pend(here.submit());
    here.record.freeing("free", &here.overlapped, sizeof here.overlapped);
    here.call_back();
    CHECK(here.said.ids == std::vector<std::string>{"freed-while-lent"});
}

TEST_CASE("memory may be freed in the callback") {
    pool_scene here;
    here.record.announces(here.io);
    here.pend(here.submit());
    here.record.entered_callback(here.io, &here.overlapped, 0, 0);
    here.record.freeing("free", &here.overlapped, sizeof here.overlapped);
    here.record.left_callback(here.io);
    CHECK(here.said.ids.empty());
}

TEST_CASE("an operation of the thread pool that is in flight at the end of the program is named") {
    pool_scene here;
    here.record.announces(here.io);
    here.pend(here.submit());
    here.record.program_ends(true, true);
    CHECK(here.said.ids == std::vector<std::string>{"socket-left", "operation-left"});
}

TEST_CASE("a wait for callbacks is named when a callback has returned without taking its failed submit back") {
    pool_scene here;
    here.record.announces(here.io);
    here.pend(here.submit());
    std::thread([&] {
        here.record.entered_callback(here.io, &here.overlapped, 0, 0);
        here.record.announces(here.io);
        here.fail(here.submit());
        here.record.left_callback(here.io);
    }).join();
    here.record.waits_for_callbacks(here.io, false);
    CHECK(here.said.ids == std::vector<std::string>{"cancel-missing"});
}

TEST_CASE("a wait for callbacks is not named while a callback that has failed to submit still runs") {
    pool_scene here;
    std::thread([&] {
        here.record.announces(here.io);
        here.fail(here.submit());
    }).join();
    here.record.waits_for_callbacks(here.io, false);
    CHECK(here.said.ids.empty());
}

TEST_CASE("a socket that gets the number of one that was tied to the thread pool is not tied") {
    pool_scene here;
    here.record.closing("closesocket", here.socket);
    here.record.made_socket("WSASocketW", here.socket, AF_INET, SOCK_STREAM, true, 0);
    here.record.made_port(reinterpret_cast<HANDLE>(std::uintptr_t{600}));
    here.record.associated(reinterpret_cast<HANDLE>(here.socket), reinterpret_cast<HANDLE>(std::uintptr_t{600}), 1);
    here.pend(here.submit());
    CHECK(here.said.ids.empty());
}

TEST_CASE("whoever has lost sight says so once and finds nothing any more") {
    scene here;
    here.record.lost_sight();
    here.record.lost_sight();
    CHECK(here.said.lost == 1);
    here.record.submit({.call = "WSARecv", .handle = here.socket, .overlapped = &here.overlapped});
    here.record.program_ends(true, true);
    CHECK(here.said.ids.empty());
}
