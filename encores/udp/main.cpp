// Encore: UDP. An echo server of datagrams: one socket on a port, several receives in
// flight on it, and two threads that take the packets. There are no connections. Whoever
// has sent a datagram gets it back, and that is all that the server knows of a client.

#include "common/address.hpp"
#include "common/command_line.hpp"
#include "common/error.hpp"
#include "common/operation.hpp"
#include "common/overlapped_socket.hpp"
#include "common/port.hpp"
#include "common/stop_signal.hpp"
#include "common/unique.hpp"
#include "common/winsock.hpp"
#include "common/worker_pool.hpp"

#include <winsock2.h>

#include <mswsock.h>
#include <ws2tcpip.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <exception>
#include <utility>
#include <vector>

namespace {

// [datagram]
// One datagram on its way: received, sent back, and then the next one. Everything that is
// lent lives in here, also where it came from and how long that address is: the system
// writes both when a datagram has come, long after the call.
struct datagram final : iocp::operation {
    explicit datagram(std::size_t room) : buffer(room) {}

    sockaddr_storage from{};
    INT from_length = 0;
    std::vector<char> buffer;
    bool receiving = false;
    std::atomic<bool> resting{true}; // not in flight; the main thread submits it again
};
static_assert(sizeof(sockaddr_storage) >= sizeof(sockaddr_in6), "an address of both kinds");
// [/datagram]

// [server]
// A datagram belongs to whoever has its packet; while an operation is in flight, to the
// kernel. So no two workers meet in one, and there is no lock.
class server {
public:
    server(iocp::unique_socket bound, unsigned count, unsigned room)
        : socket_{std::move(bound)} {
        iocp::associate(socket_.get(), port);
        for (unsigned i = 0; i < count; ++i) {
            datagrams_.emplace_back(room);
        }
    }
    // [/server]

    // [end]
    // The workers have ended. What is in flight comes back through the port.
    ~server() {
        iocp::cancel_and_close(socket_);
        while (in_flight_ > 0) {
            constexpr DWORD patience_ms = 10'000; // no driver promises to end an operation
            const iocp::packet packet = iocp::dequeue(port, patience_ms);
            if (packet.overlapped == nullptr) {
                iocp::report(packet.ended.error, "GetQueuedCompletionStatus");
                std::abort(); // what is lent cannot come back, and is not freed
            }
            --in_flight_;
            // back: one of the datagrams, whatever has become of it
        }
        std::printf("echoed: %u datagrams, %u cut off, %u answers lost, %u in flight\n",
                    echoed_.load(), cut_off_.load(), lost_.load(), in_flight_.load());
    }
    server(const server&) = delete;
    server& operator=(const server&) = delete;
    // [/end]

    // [work]
    void work() noexcept {
        for (;;) {
            const iocp::packet packet = iocp::dequeue(port, INFINITE);
            if (packet.overlapped == nullptr) { // our own: this worker ends
                if (packet.ended.error != ERROR_SUCCESS) {
                    iocp::report(packet.ended.error, "GetQueuedCompletionStatus");
                }
                return;
            }
            --in_flight_;
            // back: the datagram, with all that was lent in it
            complete(static_cast<datagram&>(*packet.overlapped), packet.ended);
        }
    }
    // [/work]

    // [wake]
    // By the clock: submits what rests. Also the first receives.
    void wake_resting() noexcept {
        for (datagram& each : datagrams_) {
            if (each.resting.exchange(false)) {
                receive(each);
            }
        }
    }
    // [/wake]

    const iocp::unique_handle port = iocp::make_port(0);

private:
    // [complete]
    void complete(datagram& one, iocp::result ended) noexcept {
        if (!one.receiving) { // the answer has gone out, or could not
            ++(ended.error == ERROR_SUCCESS ? echoed_ : lost_);
            receive(one);
        } else if (ended.error == ERROR_SUCCESS) {
            send_back(one, ended.bytes); // 0 bytes are a datagram, too
        } else if (ended.error == ERROR_MORE_DATA) {
            ++cut_off_; // it was longer than our room: the rest is lost
            receive(one);
        } else if (ended.error == ERROR_PORT_UNREACHABLE) {
            ++lost_; // not of this datagram: an earlier answer has found nobody
            receive(one);
        } else {
            rest(one, ended.error, "WSARecvFrom");
        }
    }
    // [/complete]

    // [again]
    void receive(datagram& one) noexcept {
        constexpr int most = 16;
        int code = submit_receive(one);
        for (int told = 0; told < most && (code == WSAECONNRESET || code == WSAENETRESET);
             ++told) {
            ++lost_; // not of this receive: an earlier answer has found nobody
            code = submit_receive(one);
        }
        if (code != 0) {
            rest(one, static_cast<DWORD>(code), "WSARecvFrom");
        }
    }
    // [/again]

    // [receive]
    // \return 0, or the code with which it has failed at once
    int submit_receive(datagram& one) noexcept {
        one.clear();
        one.receiving = true;
        one.from_length = sizeof one.from; // goes in: the room; comes out: the length
        WSABUF room{static_cast<ULONG>(one.buffer.size()), one.buffer.data()};
        DWORD flags = 0;
        ++in_flight_; // its packet may be taken before the call returns
        // lent: one, its buffer, from, from_length -> kernel until its packet is dequeued
        const int returned = ::WSARecvFrom(socket_.get(), &room, 1, nullptr, &flags,
                                           reinterpret_cast<sockaddr*>(&one.from),
                                           &one.from_length, &one, nullptr);
        const int code = returned == 0 ? 0 : ::WSAGetLastError();
        if (code == 0 || code == WSA_IO_PENDING || code == WSAEMSGSIZE) {
            return 0; // 10040: a datagram was there and did not fit; a packet says so too
        }
        --in_flight_;
        // back: all of it, at once
        return code;
    }
    // [/receive]

    // [send]
    void send_back(datagram& one, DWORD bytes) noexcept {
        one.clear();
        one.receiving = false;
        WSABUF answer{bytes, one.buffer.data()};
        ++in_flight_;
        // lent: one, its buffer, from -> kernel until its packet is dequeued
        const int returned = ::WSASendTo(socket_.get(), &answer, 1, nullptr, 0,
                                         reinterpret_cast<const sockaddr*>(&one.from),
                                         one.from_length, &one, nullptr);
        const int code = returned == 0 ? 0 : ::WSAGetLastError();
        if (code != 0 && code != WSA_IO_PENDING) {
            --in_flight_;
            // back: all of it, at once
            ++lost_;
            receive(one);
        }
    }
    // [/send]

    // [rest]
    // A failure that may last: no hot loop, and one line for as long as it is the same.
    void rest(datagram& one, DWORD error, const char* call) noexcept {
        if (last_failure_.exchange(error) != error) {
            iocp::report(error, call);
        }
        one.resting = true;
    }
    // [/rest]

    iocp::unique_socket socket_;
    std::deque<datagram> datagrams_; // a deque: its elements never move
    std::atomic<unsigned> in_flight_{0};
    std::atomic<unsigned> echoed_{0};
    std::atomic<unsigned> cut_off_{0};
    std::atomic<unsigned> lost_{0};
    std::atomic<DWORD> last_failure_{ERROR_SUCCESS};
};

// [open]
// A socket for datagrams. It is bound and does not listen: nobody connects.
iocp::unique_socket open(const iocp::address& where, bool told_of_nobody) {
    iocp::unique_socket socket{
        ::WSASocketW(where.family(), SOCK_DGRAM, IPPROTO_UDP, nullptr, 0,
                     WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT)};
    if (!socket) {
        iocp::fail(::WSAGetLastError(), "WSASocketW");
    }
    const BOOL yes = TRUE;
    if (::setsockopt(socket.get(), SOL_SOCKET, SO_EXCLUSIVEADDRUSE,
                     reinterpret_cast<const char*>(&yes), sizeof yes) == SOCKET_ERROR) {
        iocp::fail(::WSAGetLastError(), "setsockopt SO_EXCLUSIVEADDRUSE");
    }
    // [connreset]
    // An answer that finds nobody is to fail none of our receives.
    BOOL tell = told_of_nobody ? TRUE : FALSE;
    DWORD bytes = 0;
    if (::WSAIoctl(socket.get(), SIO_UDP_CONNRESET, &tell, sizeof tell, nullptr, 0, &bytes,
                   nullptr, nullptr) == SOCKET_ERROR) {
        iocp::report(::WSAGetLastError(), "WSAIoctl SIO_UDP_CONNRESET");
    }
    // [/connreset]
    if (::bind(socket.get(), where.get(), where.length()) == SOCKET_ERROR) {
        iocp::fail(::WSAGetLastError(), "bind", where.text());
    }
    std::printf("listening on %s\n", iocp::local_address(socket.get()).text().c_str());
    std::fflush(stdout);
    return socket;
}
// [/open]

} // namespace

// [main]
int main(int argc, char** argv) {
    iocp::server_options options;
    unsigned workers = 2;
    unsigned receives = 16;
    unsigned room = 65'535; // no datagram is longer
    bool told_of_nobody = false;
    iocp::command_line{"udp", "datagrams: one socket on a port, and no connections"}
        .server(options)
        .number("--workers", workers, 1, 64, "threads that take packets from the port")
        .number("--receives", receives, 1, 1000, "datagrams on their way at a time")
        .number("--room", room, 1, 65'535, "bytes of the longest datagram")
        .flag("--tell", told_of_nobody, "let receives fail for answers that find nobody")
        .parse(argc, argv);
    try {
        const iocp::winsock winsock;
        const iocp::stop_signal stop;
        server s{
            open({options.host, static_cast<std::uint16_t>(options.port)}, told_of_nobody),
            receives, room};
        const iocp::worker_pool pool{s.port, workers, [&s] { s.work(); }};
        do {
            s.wake_resting();
        } while (!stop.wait(250)); // the main thread is the clock
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
// [/main]
