// Rows about sockets.

#include "row.hpp"

#include "common/address.hpp"
#include "common/event.hpp"
#include "common/extension_functions.hpp"
#include "common/overlapped_socket.hpp"
#include "common/port.hpp"
#include "common/unique.hpp"
#include "common/winsock.hpp"

#include <winsock2.h>

#include <mswsock.h>
#include <ws2tcpip.h>

#include <doctest/doctest.h>

#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr DWORD deadline_ms = 5000; // for what must come
constexpr DWORD absence_ms = 200;   // for what does not come under Wine, and may come on Windows
constexpr DWORD room_for_ipv4 = sizeof(sockaddr_in) + 16;

iocp::unique_socket listening_socket(int backlog = SOMAXCONN) {
    iocp::unique_socket listener = iocp::overlapped_socket(AF_INET);
    const iocp::address any{"127.0.0.1", 0};
    REQUIRE(::bind(listener.get(), any.get(), any.length()) == 0);
    REQUIRE(::listen(listener.get(), backlog) == 0);
    return listener;
}

iocp::unique_socket connected_to(const iocp::unique_socket& listener) {
    const iocp::address where = iocp::local_address(listener.get());
    iocp::unique_socket socket = iocp::overlapped_socket(AF_INET);
    REQUIRE(::connect(socket.get(), where.get(), where.length()) == 0);
    return socket;
}

// Ends a connection with a reset.
void reset(iocp::unique_socket& socket) {
    const linger at_once{1, 0};
    REQUIRE(::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, reinterpret_cast<const char*>(&at_once),
                         sizeof at_once) == 0);
    socket.reset();
}

// What WSAGetLastError says after a call of Winsock, or 0.
int code_of(int result) {
    return result == 0 ? 0 : ::WSAGetLastError();
}

template <class Function>
Function extension(SOCKET socket, GUID id) {
    Function function = nullptr;
    DWORD bytes = 0;
    REQUIRE(::WSAIoctl(socket, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof id, &function, sizeof function, &bytes,
                       nullptr, nullptr) == 0);
    return function;
}

// Two connected sockets, `ours` tied to a port; and memory that is lent until the end of the object at most.
class connected_pair {
public:
    connected_pair() {
        const iocp::unique_socket listener = listening_socket();
        theirs = connected_to(listener);
        ours.reset(::accept(listener.get(), nullptr, nullptr));
        REQUIRE(ours);
        iocp::associate(ours.get(), port, 0);
    }
    ~connected_pair() {
        theirs.reset();
        iocp::cancel_and_close(ours);
        while (in_flight > 0 && dequeue(deadline_ms).overlapped) {
        }
    }
    connected_pair(const connected_pair&) = delete;
    connected_pair& operator=(const connected_pair&) = delete;

    int submit_receive() {
        WSABUF room{sizeof buffer, buffer};
        DWORD flags = 0;
        return submitted(::WSARecv(ours.get(), &room, 1, nullptr, &flags, &receive, nullptr));
    }

    int submit_send(std::vector<char>& bytes) {
        send = {};
        WSABUF all{static_cast<ULONG>(bytes.size()), bytes.data()};
        return submitted(::WSASend(ours.get(), &all, 1, nullptr, 0, &send, nullptr));
    }

    iocp::packet dequeue(DWORD milliseconds) {
        const iocp::packet packet = iocp::dequeue(port, milliseconds);
        in_flight -= packet.overlapped ? 1 : 0;
        return packet;
    }

    // Sends until a send stays in flight because the peer does not read. False: the system takes everything.
    bool get_a_send_stuck(std::vector<char>& bytes) {
        for (int attempt = 0; attempt < 4; ++attempt) {
            const int code = submit_send(bytes);
            REQUIRE((code == 0 || code == WSA_IO_PENDING));
            if (!dequeue(absence_ms).overlapped) {
                return true;
            }
        }
        return false;
    }

    const iocp::winsock winsock;
    const iocp::unique_handle port = iocp::make_port(0);
    iocp::unique_socket ours;
    iocp::unique_socket theirs;
    OVERLAPPED receive{};
    OVERLAPPED send{};
    int in_flight = 0;

private:
    int submitted(int result) {
        const int code = code_of(result);
        in_flight += code == 0 || code == WSA_IO_PENDING ? 1 : 0;
        return code;
    }

    char buffer[64] = "";
};

// The codes of the packets of the send and of the receive, as far as they come in time.
std::string codes_of_both(connected_pair& pair, DWORD milliseconds) {
    std::string send = "not back";
    std::string receive = "not back";
    while (pair.in_flight > 0) {
        const iocp::packet packet = pair.dequeue(milliseconds);
        if (!packet.overlapped) {
            break;
        }
        (packet.overlapped == &pair.send ? send : receive) = std::to_string(packet.ended.error);
    }
    return "send " + send + " and receive " + receive;
}

// A listener tied to a port, and an accept.
struct acceptor {
    acceptor() { iocp::associate(listener.get(), port, 0); }
    ~acceptor() {
        iocp::cancel_and_close(listener);
        if (in_flight) {
            iocp::dequeue(port, deadline_ms);
        }
    }
    acceptor(const acceptor&) = delete;
    acceptor& operator=(const acceptor&) = delete;

    int submit(DWORD local_room, DWORD first_data = 0) {
        const iocp::extension_functions functions{listener.get()};
        DWORD bytes = 0;
        const BOOL good = functions.AcceptEx(listener.get(), accepted.get(), block, first_data, local_room,
                                             room_for_ipv4, &bytes, &overlapped);
        const int code = good ? 0 : ::WSAGetLastError();
        in_flight = code == 0 || code == WSA_IO_PENDING;
        return code;
    }

    iocp::packet result() {
        const iocp::packet packet = iocp::dequeue(port, deadline_ms);
        REQUIRE(packet.overlapped == &overlapped);
        in_flight = false;
        return packet;
    }

    const iocp::winsock winsock;
    const iocp::unique_handle port = iocp::make_port(0);
    iocp::unique_socket listener = listening_socket();
    iocp::unique_socket accepted = iocp::overlapped_socket(AF_INET);
    OVERLAPPED overlapped{};
    char block[128] = "";
    bool in_flight = false;
};

// The outcome of a bind beside a `first` socket that is there.
std::string code_of_bind(const iocp::unique_socket& first, const char* host, int option) {
    const iocp::unique_socket second = iocp::overlapped_socket(AF_INET);
    const BOOL yes = TRUE;
    if (option != 0) {
        REQUIRE(::setsockopt(second.get(), SOL_SOCKET, option, reinterpret_cast<const char*>(&yes), sizeof yes) == 0);
    }
    sockaddr_in bound{};
    int length = sizeof bound;
    REQUIRE(::getsockname(first.get(), reinterpret_cast<sockaddr*>(&bound), &length) == 0);
    const iocp::address where{host, ::ntohs(bound.sin_port)};
    return std::to_string(code_of(::bind(second.get(), where.get(), where.length())));
}

// All addresses and one address: without an option, with SO_REUSEADDR, with SO_EXCLUSIVEADDRUSE.
std::string codes_of_binds_beside(const char* host, bool listening) {
    const iocp::winsock winsock;
    const iocp::unique_socket first = iocp::overlapped_socket(AF_INET);
    const BOOL yes = TRUE;
    REQUIRE(::setsockopt(first.get(), SOL_SOCKET, SO_EXCLUSIVEADDRUSE, reinterpret_cast<const char*>(&yes),
                         sizeof yes) == 0);
    const iocp::address any{host, 0};
    REQUIRE(::bind(first.get(), any.get(), any.length()) == 0);
    if (listening) {
        REQUIRE(::listen(first.get(), SOMAXCONN) == 0);
    }
    std::string codes;
    for (const int option : {0, SO_REUSEADDR, SO_EXCLUSIVEADDRUSE}) {
        codes += (codes.empty() ? "" : " ") + code_of_bind(first, "0.0.0.0", option) + "/" +
                 code_of_bind(first, "127.0.0.1", option);
    }
    return codes;
}

} // namespace

TEST_CASE("how a receive ends when its socket is closed") {
    connected_pair pair;
    REQUIRE(pair.submit_receive() == WSA_IO_PENDING);
    pair.ours.reset(); // and no cancel before it
    const iocp::packet packet = pair.dequeue(deadline_ms);
    REQUIRE(packet.overlapped == &pair.receive);
    probe::compare(
        {"row/closesocket-with-a-receive-in-flight", "a receive whose socket is closed ends with", "676", "676"},
        std::to_string(packet.ended.error));
}

TEST_CASE("whether closing a socket ends a send that is stuck and a receive beside it") {
    const probe::row row{"row/closesocket-with-a-send-in-flight-that-is-stuck-because-the-client-does-not-read",
                         "after closesocket alone", "send not back and receive not back", ""};
    std::vector<char> bytes(16 << 20);
    connected_pair pair;
    REQUIRE(pair.submit_receive() == WSA_IO_PENDING);
    if (!pair.get_a_send_stuck(bytes)) {
        probe::compare(row, "that no send gets stuck");
        return;
    }
    pair.ours.reset(); // and no cancel before it
    probe::compare(row, codes_of_both(pair, absence_ms));
    pair.theirs.reset();
    codes_of_both(pair, deadline_ms);
    CHECK(pair.in_flight == 0);
}

TEST_CASE("cancelling before the close ends a send that is stuck and a receive beside it") {
    std::vector<char> bytes(16 << 20);
    connected_pair pair;
    REQUIRE(pair.submit_receive() == WSA_IO_PENDING);
    if (!pair.get_a_send_stuck(bytes)) {
        return;
    }
    iocp::cancel_and_close(pair.ours);
    probe::compare({"row/the-same-with-cancelioex-just-before", "after CancelIoEx and closesocket",
                    "send 995 and receive 995", ""},
                   codes_of_both(pair, deadline_ms));
    CHECK(pair.in_flight == 0);
}

TEST_CASE("what an accepted socket can do without SO_UPDATE_ACCEPT_CONTEXT") {
    acceptor acceptor;
    REQUIRE(acceptor.submit(room_for_ipv4) == WSA_IO_PENDING);
    const iocp::unique_socket client = connected_to(acceptor.listener);
    REQUIRE(acceptor.result().ended.error == ERROR_SUCCESS);
    sockaddr_storage address{};
    int length = sizeof address;
    std::string codes =
        std::to_string(code_of(::getsockname(acceptor.accepted.get(), reinterpret_cast<sockaddr*>(&address), &length)));
    length = sizeof address;
    codes += "/" + std::to_string(
                       code_of(::getpeername(acceptor.accepted.get(), reinterpret_cast<sockaddr*>(&address), &length)));
    codes += "/" + std::to_string(code_of(::shutdown(acceptor.accepted.get(), SD_SEND)));
    probe::compare({"row/so-update-accept-context-left-out",
                    "getsockname/getpeername/shutdown without SO_UPDATE_ACCEPT_CONTEXT", "0/0/0", "0/0/0"},
                   codes);
}

TEST_CASE("whether AcceptEx takes less room for an address than it documents") {
    acceptor acceptor;
    std::string outcome = "refused with " + std::to_string(acceptor.submit(20));
    if (acceptor.in_flight) {
        const iocp::unique_socket client = connected_to(acceptor.listener);
        const DWORD code = acceptor.result().ended.error;
        outcome = code == ERROR_SUCCESS ? "accepted" : "ended with " + std::to_string(code);
    }
    probe::compare({"row/acceptex-with-20-bytes-for-the-local-ipv4-address",
                    "AcceptEx with 20 bytes for the local address", "accepted", "accepted"},
                   outcome);
}

TEST_CASE("whether AcceptEx refuses sockets that it cannot use") {
    const iocp::address any{"127.0.0.1", 0};
    const auto outcome = [](acceptor& acceptor) {
        const int code = acceptor.submit(room_for_ipv4);
        return acceptor.in_flight ? std::string{"pending"} : "refused with " + std::to_string(code);
    };
    acceptor acceptor;
    SUBCASE("a listener that does not listen") {
        acceptor.listener = iocp::overlapped_socket(AF_INET);
        REQUIRE(::bind(acceptor.listener.get(), any.get(), any.length()) == 0);
        iocp::associate(acceptor.listener.get(), acceptor.port, 0);
        probe::compare({"probe/accept-on-a-socket-that-does-not-listen", "AcceptEx on a socket that does not listen is",
                        "pending", ""},
                       outcome(acceptor));
    }
    SUBCASE("an accept socket that is bound") {
        REQUIRE(::bind(acceptor.accepted.get(), any.get(), any.length()) == 0);
        probe::compare({"probe/accept-into-a-bound-socket", "AcceptEx into a socket that is bound is", "pending", ""},
                       outcome(acceptor));
    }
}

TEST_CASE("how an accept ends whose client has reset before it") {
    const auto outcome = [](DWORD first_data) {
        acceptor acceptor;
        iocp::unique_socket client = connected_to(acceptor.listener);
        reset(client);
        const int code = acceptor.submit(room_for_ipv4, first_data);
        if (!acceptor.in_flight) {
            return "at once with " + std::to_string(code);
        }
        const iocp::packet packet = iocp::dequeue(acceptor.port, absence_ms);
        if (!packet.overlapped) {
            return std::string{"not yet"};
        }
        acceptor.in_flight = false;
        DWORD bytes = 0;
        DWORD flags = 0;
        const BOOL good =
            ::WSAGetOverlappedResult(acceptor.listener.get(), &acceptor.overlapped, &bytes, FALSE, &flags);
        return std::to_string(packet.ended.error) + " (Winsock: " + std::to_string(good ? 0 : ::WSAGetLastError()) +
               ")";
    };
    probe::compare({"row/acceptex-when-the-client-has-reset-already/without-data",
                    "an accept whose client has reset before it ends with", "59 (Winsock: 10057)", ""},
                   outcome(0));
    probe::compare({"row/acceptex-when-the-client-has-reset-already/with-data",
                    "the same with room for first data ends with", "64 (Winsock: 10054)", ""},
                   outcome(16));
}

TEST_CASE("what recv tells of a reset that came before it") {
    const iocp::winsock winsock;
    const iocp::unique_socket listener = listening_socket();
    iocp::unique_socket theirs = connected_to(listener);
    const iocp::unique_socket ours{::accept(listener.get(), nullptr, nullptr)};
    REQUIRE(ours);
    reset(theirs);
    WSAPOLLFD poll{ours.get(), POLLRDNORM, 0};
    REQUIRE(::WSAPoll(&poll, 1, deadline_ms) == 1); // it is here
    char byte = 0;
    const int taken = ::recv(ours.get(), &byte, 1, 0);
    const std::string outcome =
        taken < 0 ? std::to_string(::WSAGetLastError()) : "a return value of " + std::to_string(taken);
    probe::compare({"row/recv-after-a-reset-that-has-come-before-it", "recv after a reset", "a return value of 0", ""},
                   outcome);
}

TEST_CASE("with which code a completion routine tells of a reset") {
    struct receive {
        WSAOVERLAPPED overlapped{};
        char buffer[64] = "";
        DWORD error = 0;
        bool in_flight = false;
    };
    const auto ended = [](DWORD error, DWORD, WSAOVERLAPPED* overlapped, DWORD) {
        auto& one = *static_cast<receive*>(overlapped->hEvent);
        one.error = error;
        one.in_flight = false;
    };
    const iocp::winsock winsock;
    const iocp::unique_socket listener = listening_socket();
    iocp::unique_socket theirs = connected_to(listener);
    iocp::unique_socket ours{::accept(listener.get(), nullptr, nullptr)};
    REQUIRE(ours);
    receive one;
    one.overlapped.hEvent = &one;
    WSABUF room{sizeof one.buffer, one.buffer};
    DWORD flags = 0;
    REQUIRE(code_of(::WSARecv(ours.get(), &room, 1, nullptr, &flags, &one.overlapped, ended)) == WSA_IO_PENDING);
    one.in_flight = true;
    reset(theirs);
    ::SleepEx(deadline_ms, TRUE);
    const std::string outcome = one.in_flight ? "no routine" : std::to_string(one.error);
    iocp::cancel_and_close(ours);
    while (one.in_flight) {
        ::SleepEx(INFINITE, TRUE); // its memory comes back before it goes
    }
    probe::compare({"card/LPWSAOVERLAPPED_COMPLETION_ROUTINE/dwerror", "a routine tells of a reset with", "10054", ""},
                   outcome);
}

TEST_CASE("whether WSAGetOverlappedResult minds the wrong socket") {
    connected_pair pair;
    REQUIRE(pair.submit_receive() == WSA_IO_PENDING);
    REQUIRE(::send(pair.theirs.get(), "word", 4, 0) == 4);
    REQUIRE(pair.dequeue(deadline_ms).ended.error == ERROR_SUCCESS);
    const iocp::unique_socket other = iocp::overlapped_socket(AF_INET);
    DWORD bytes = 0;
    DWORD flags = 0;
    const BOOL good = ::WSAGetOverlappedResult(other.get(), &pair.receive, &bytes, FALSE, &flags);
    const std::string outcome = good ? "success" : std::to_string(::WSAGetLastError());
    probe::compare(
        {"probe/result-of-the-wrong-socket", "WSAGetOverlappedResult on another socket", "success", "success"},
        outcome);
}

TEST_CASE("whether the result is in the OVERLAPPED before the packet is dequeued") {
    connected_pair pair;
    SUBCASE("with an event") {
        const iocp::unique_event event = iocp::make_event();
        pair.receive.hEvent = event.get(); // set when the operation ends, beside the packet
        REQUIRE(pair.submit_receive() == WSA_IO_PENDING);
        REQUIRE(::send(pair.theirs.get(), "word", 4, 0) == 4);
        REQUIRE(::WaitForSingleObject(event.get(), deadline_ms) == WAIT_OBJECT_0);
        probe::compare({"row/overlapped-internal-before-the-packet-is-dequeued/with-event",
                        "OVERLAPPED.Internal before the dequeue where there is an event", "updated", "updated"},
                       HasOverlappedIoCompleted(&pair.receive) ? "updated" : "not updated");
        REQUIRE(pair.dequeue(deadline_ms).overlapped == &pair.receive); // before the event goes
    }
    SUBCASE("without an event") {
        REQUIRE(pair.submit_receive() == WSA_IO_PENDING);
        REQUIRE(::send(pair.theirs.get(), "word", 4, 0) == 4);
        ::Sleep(absence_ms); // nothing but the packet tells that it has ended
        probe::compare({"row/overlapped-internal-before-the-packet-is-dequeued/without-event",
                        "OVERLAPPED.Internal before the dequeue where there is no event", "updated", "updated"},
                       HasOverlappedIoCompleted(&pair.receive) ? "updated" : "not updated");
    }
}

TEST_CASE("whether a receive ends when the thread that has submitted it exits") {
    SUBCASE("with an event") {
        const iocp::winsock winsock;
        const iocp::unique_socket listener = listening_socket();
        const iocp::unique_socket theirs = connected_to(listener);
        iocp::unique_socket ours{::accept(listener.get(), nullptr, nullptr)};
        REQUIRE(ours);
        const iocp::unique_event event = iocp::make_event();
        OVERLAPPED overlapped{};
        overlapped.hEvent = event.get();
        char buffer[64] = "";
        int code = 0;
        std::thread{[&ours, &overlapped, &buffer, &code] {
            WSABUF room{sizeof buffer, buffer};
            DWORD flags = 0;
            code = code_of(::WSARecv(ours.get(), &room, 1, nullptr, &flags, &overlapped, nullptr));
        }}.join();
        REQUIRE(code == WSA_IO_PENDING);
        std::string outcome = "still in flight";
        if (::WaitForSingleObject(event.get(), absence_ms) == WAIT_OBJECT_0) {
            DWORD bytes = 0;
            DWORD flags = 0;
            const BOOL good = ::WSAGetOverlappedResult(ours.get(), &overlapped, &bytes, FALSE, &flags);
            outcome = good ? "0" : std::to_string(::WSAGetLastError());
        }
        // The memory comes back before it goes.
        iocp::cancel_and_close(ours);
        REQUIRE(::WaitForSingleObject(event.get(), deadline_ms) == WAIT_OBJECT_0);
        probe::compare({"probe/thread-exits-with-event", "a receive with an event whose thread has exited", "995", ""},
                       outcome);
    }
    SUBCASE("on a port") {
        connected_pair pair;
        int code = 0;
        std::thread{[&pair, &code] { code = pair.submit_receive(); }}.join();
        REQUIRE(code == WSA_IO_PENDING);
        const iocp::packet packet = pair.dequeue(absence_ms);
        probe::compare({"probe/thread-exits-on-port", "a receive on a port whose thread has exited", "still in flight",
                        "still in flight"},
                       packet.overlapped ? std::to_string(packet.ended.error) : "still in flight");
    }
}

TEST_CASE("what a bind to a taken port brings") {
    SUBCASE("the first has one address") {
        probe::compare({"row/bind-to-all-addresses-where-a-socket-listens-on-one-of-them-and-has-it-for-itself/bound",
                        "binds beside one exclusive address", "0/10048 0/10013 10048/10048", ""},
                       codes_of_binds_beside("127.0.0.1", false));
    }
    SUBCASE("the first has one address and listens") {
        probe::compare(
            {"row/bind-to-all-addresses-where-a-socket-listens-on-one-of-them-and-has-it-for-itself/listening",
             "binds beside one exclusive address that listens", "10048/10048 10013/10013 10048/10048", ""},
            codes_of_binds_beside("127.0.0.1", true));
    }
    SUBCASE("the first has all addresses") {
        probe::compare({"row/bind-where-a-socket-has-all-addresses-for-itself",
                        "binds beside an exclusive socket on all addresses", "10013/10013 10013/10013 10013/10013", ""},
                       codes_of_binds_beside("0.0.0.0", false));
    }
}

TEST_CASE("whether a socket can be connected again after DisconnectEx") {
    const iocp::winsock winsock;
    iocp::unique_socket socket = iocp::overlapped_socket(AF_INET);
    const iocp::address any{"0.0.0.0", 0};
    REQUIRE(::bind(socket.get(), any.get(), any.length()) == 0);
    const iocp::unique_event event = iocp::make_event();
    OVERLAPPED operation{};
    // The code with which an operation ends, at once or later. One that is still lent when time is up ends the program:
    // its memory may not go.
    const auto end_of = [&](BOOL done) {
        DWORD bytes = 0;
        DWORD flags = 0;
        int code = done ? 0 : ::WSAGetLastError();
        if (code == ERROR_IO_PENDING) {
            if (::WaitForSingleObject(event.get(), 60 * deadline_ms) != WAIT_OBJECT_0) {
                std::abort();
            }
            code = ::WSAGetOverlappedResult(socket.get(), &operation, &bytes, FALSE, &flags) ? 0 : ::WSAGetLastError();
        }
        operation = {};
        operation.hEvent = event.get();
        return code;
    };
    operation.hEvent = event.get();
    const auto connect_ex = extension<LPFN_CONNECTEX>(socket.get(), WSAID_CONNECTEX);
    const auto disconnect_ex = extension<LPFN_DISCONNECTEX>(socket.get(), WSAID_DISCONNECTEX);
    const auto connect_to = [&](const iocp::unique_socket& listener) {
        const iocp::address where = iocp::local_address(listener.get());
        DWORD bytes = 0;
        return end_of(connect_ex(socket.get(), where.get(), where.length(), nullptr, 0, &bytes, &operation));
    };
    const iocp::unique_socket first = listening_socket();
    REQUIRE(connect_to(first) == 0);
    REQUIRE(code_of(::setsockopt(socket.get(), SOL_SOCKET, SO_UPDATE_CONNECT_CONTEXT, nullptr, 0)) == 0);
    iocp::unique_socket other_end{::accept(first.get(), nullptr, nullptr)};
    REQUIRE(other_end);
    other_end.reset(); // closed there first: the pair of addresses is not ours to keep out of use
    char byte = 0;
    REQUIRE(::recv(socket.get(), &byte, 1, 0) == 0);
    REQUIRE(end_of(disconnect_ex(socket.get(), &operation, TF_REUSE_SOCKET, 0)) == 0);
    const int code = connect_to(listening_socket());
    probe::compare({"row/disconnectex-with-tf-reuse-socket-then-connectex-on-the-same-socket",
                    "ConnectEx after DisconnectEx with TF_REUSE_SOCKET", "10056", ""},
                   std::to_string(code));
}

TEST_CASE("what becomes of clients beyond a full backlog") {
    const iocp::winsock winsock;
    const iocp::unique_socket listener = listening_socket(1);
    const iocp::address where = iocp::local_address(listener.get());
    std::vector<iocp::unique_socket> clients;
    std::vector<WSAPOLLFD> connecting;
    for (int client = 0; client < 8; ++client) {
        clients.push_back(iocp::overlapped_socket(AF_INET));
        u_long on = 1;
        REQUIRE(::ioctlsocket(clients.back().get(), FIONBIO, &on) == 0);
        const int code = code_of(::connect(clients.back().get(), where.get(), where.length()));
        REQUIRE((code == 0 || code == WSAEWOULDBLOCK));
        connecting.push_back({clients.back().get(), POLLWRNORM, 0});
    }
    // Windows tries three times before it gives up. Under Wine the absence of a refusal is what we wait for.
    const ULONGLONG end = ::GetTickCount64() + (probe::wine() ? 500 : 3000);
    int refused = 0;
    while (!connecting.empty() && ::GetTickCount64() < end) {
        const auto left = static_cast<INT>(end - ::GetTickCount64());
        REQUIRE(::WSAPoll(connecting.data(), static_cast<ULONG>(connecting.size()), left) >= 0);
        std::erase_if(connecting, [&refused](const WSAPOLLFD& one) {
            refused += (one.revents & (POLLERR | POLLHUP)) != 0 ? 1 : 0;
            return one.revents != 0;
        });
    }
    const std::string outcome = refused > 0 ? "refused" : connecting.empty() ? "served" : "kept waiting";
    probe::compare(
        {"row/a-client-beyond-a-full-backlog", "clients beyond a full backlog are", "kept waiting", "kept waiting"},
        outcome);
}

TEST_CASE("whether SO_CONDITIONAL_ACCEPT and SIO_LOOPBACK_FAST_PATH and TransmitPackets are there") {
    const iocp::winsock winsock;
    const iocp::unique_socket socket = iocp::overlapped_socket(AF_INET);
    const BOOL yes = TRUE;
    probe::compare(
        {"row/so-conditional-accept-transmitpackets/conditional-accept", "SO_CONDITIONAL_ACCEPT", "10042", "10042"},
        std::to_string(code_of(::setsockopt(socket.get(), SOL_SOCKET, SO_CONDITIONAL_ACCEPT,
                                            reinterpret_cast<const char*>(&yes), sizeof yes))));
    constexpr DWORD sio_loopback_fast_path = _WSAIOW(IOC_VENDOR, 16); // not in every header
    DWORD bytes = 0;
    int on = 1;
    probe::compare({"row/sio-loopback-fast-path", "SIO_LOOPBACK_FAST_PATH", "10045", "10045"},
                   std::to_string(code_of(::WSAIoctl(socket.get(), sio_loopback_fast_path, &on, sizeof on, nullptr, 0,
                                                     &bytes, nullptr, nullptr))));
    GUID transmit_packets = WSAID_TRANSMITPACKETS;
    void* function = nullptr;
    probe::compare({"row/so-conditional-accept-transmitpackets/transmitpackets", "TransmitPackets", "10022", "10022"},
                   std::to_string(code_of(::WSAIoctl(socket.get(), SIO_GET_EXTENSION_FUNCTION_POINTER,
                                                     &transmit_packets, sizeof transmit_packets, &function,
                                                     sizeof function, &bytes, nullptr, nullptr))));
}

TEST_CASE("whether Registered I/O and the newer ways to be notified are there") {
    const iocp::winsock winsock;
    const iocp::unique_socket socket = iocp::overlapped_socket(AF_INET);
    // The table of Registered I/O: its size, 13 functions. Not in every header, like its control code and its GUID.
    constexpr DWORD sio_get_multiple = _WSAIORW(IOC_WS2, 36);
    GUID registered_io{0x8509e081, 0x96dd, 0x4005, {0xb1, 0x65, 0x9e, 0x2e, 0xe8, 0xc7, 0x9e, 0x3f}};
    void* functions[14]{};
    DWORD bytes = 0;
    const int code = code_of(::WSAIoctl(socket.get(), sio_get_multiple, &registered_io, sizeof registered_io, functions,
                                        sizeof functions, &bytes, nullptr, nullptr));
    probe::compare({"row/registered-i-o-processsocketnotifications-ntassociatewaitcompletionpacket/registered-io",
                    "Registered I/O", "missing", "missing"},
                   code == 0 ? "there" : "missing");
    const auto there = [](const wchar_t* library, const char* name) {
        const HMODULE module = ::GetModuleHandleW(library);
        REQUIRE(module != nullptr);
        return ::GetProcAddress(module, name) ? "there" : "missing";
    };
    probe::compare(
        {"row/registered-i-o-processsocketnotifications-ntassociatewaitcompletionpacket/process-socket-notifications",
         "ProcessSocketNotifications", "missing", "missing"},
        there(L"ws2_32.dll", "ProcessSocketNotifications"));
    probe::compare(
        {"row/registered-i-o-processsocketnotifications-ntassociatewaitcompletionpacket/wait-completion-packet",
         "NtAssociateWaitCompletionPacket", "missing", "missing"},
        there(L"ntdll.dll", "NtAssociateWaitCompletionPacket"));
}
