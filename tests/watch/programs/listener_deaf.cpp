// listener-deaf: the next accept is submitted only when this one has brought a client.
//
// A client that resets before it has said a word ends the accept without a client. When nobody submits the next one,
// the listener is deaf: clients go on connecting, for the system's queue takes them, and nobody ever serves them.

#include "pair.hpp"

#include "common/extension_functions.hpp"
#include "common/overlapped_socket.hpp"

#include <string>
#include <utility>

using namespace programs;

namespace {

// [server]
// One accept in flight, which waits for the first bytes of its client, too.
struct server {
    server() : port{iocp::make_port(0)}, functions{door.socket} {
        iocp::associate(door.socket, port, 0);
        submit();
    }

    void submit() {
        client = iocp::overlapped_socket(AF_INET);
        overlapped = {};
        DWORD bytes = 0;
        check(functions.AcceptEx(door.socket, client.get(), room, first_bytes, each, each, &bytes, &overlapped) ||
                  ::WSAGetLastError() == ERROR_IO_PENDING,
              "AcceptEx");
        in_flight = true;
    }

    // \return the first bytes of a client; none when it has gone
    std::string take() {
        DWORD bytes = 0;
        ULONG_PTR key = 0;
        OVERLAPPED* back = nullptr;
        const BOOL good = ::GetQueuedCompletionStatus(port.get(), &bytes, &key, &back, patience_ms);
        check(back != nullptr, "GetQueuedCompletionStatus");
        in_flight = false;
        return good ? std::string{room, bytes} : std::string{};
    }

    void update_context(const iocp::unique_socket& accepted) {
        check(::setsockopt(accepted.get(), SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT,
                           reinterpret_cast<const char*>(&door.socket), sizeof door.socket) == 0,
              "SO_UPDATE_ACCEPT_CONTEXT");
    }

    static constexpr DWORD each = sizeof(sockaddr_in) + 16;
    static constexpr DWORD first_bytes = 64;
    listener door{AF_INET};
    iocp::unique_handle port;
    iocp::extension_functions functions;
    iocp::unique_socket client;
    char room[first_bytes + 2 * each];
    OVERLAPPED overlapped{};
    bool in_flight = false;
};
// [/server]

// [wrong]
void accepted(server& one) {
    const std::string words = one.take();
    if (words.empty()) {
        return; // this client has gone, so there is nothing to do?
    }
    one.update_context(one.client);
    say(one.client.get(), words);
    one.submit();
}
// [/wrong]

// [right]
void accepted_right(server& one) {
    const std::string words = one.take();
    const iocp::unique_socket client = std::move(one.client);
    one.submit(); // whatever has become of this one
    if (!words.empty()) {
        one.update_context(client);
        say(client.get(), words);
    }
}
// [/right]

void serve(void (*handle)(server&)) {
    server one;
    SOCKET first = one.door.connect();
    reset(first);
    handle(one);
    const iocp::unique_socket second{one.door.connect()};
    say(second.get(), "hello");
    if (!one.in_flight) {
        DWORD bytes = 0;
        ULONG_PTR key = 0;
        OVERLAPPED* back = nullptr;
        // here: a packet cannot come, for nothing is in flight
        ::GetQueuedCompletionStatus(one.port.get(), &bytes, &key, &back, 1600);
        harm("One client has reset, and no accept is in flight any more. The next client is connected and has said "
             "hello, "
             "and nobody will ever hear it.");
        return;
    }
    handle(one);
    char echo[5];
    check(::recv(second.get(), echo, sizeof echo, MSG_WAITALL) == sizeof echo, "recv");
    well("One client has reset, and the next one has its echo.");
    check(::closesocket(std::exchange(one.door.socket, INVALID_SOCKET)) == 0, "closesocket");
    dequeue(one.port); // the accept that waits for the third
}

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", [] { serve(accepted); }}, {"right", [] { serve(accepted_right); }}});
}
