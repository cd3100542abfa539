// Encore: files and pipes on a port. A client sends a name and a newline and gets that
// file of one folder. What is on the port here: sockets, files, a log and named pipes
// (client.hpp; read that first).

#include "client.hpp"
#include "doors.hpp"
#include "shared.hpp"

#include "chapters/09_accept_packets/acceptor.hpp"
#include "chapters/09_accept_packets/worker.hpp"

#include "common/address.hpp"
#include "common/command_line.hpp"
#include "common/error.hpp"
#include "common/listener.hpp"
#include "common/overlapped_socket.hpp"
#include "common/port.hpp"
#include "common/stop_signal.hpp"
#include "common/unique.hpp"
#include "common/winsock.hpp"
#include "common/worker_pool.hpp"

#include <winsock2.h>

#include <mswsock.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <thread>
#include <utility>

namespace {

struct options {
    iocp::server_options where;
    std::string folder;
    std::string pipe;
    std::string log;
    bool transmit = false;
    unsigned workers = std::max(1U, std::thread::hardware_concurrency());
};

std::wstring wide(const std::string& text) {
    std::wstring result(text.size(), L'\0');
    const int length =
        ::MultiByteToWideChar(CP_UTF8, 0, text.data(), static_cast<int>(text.size()),
                              result.data(), static_cast<int>(result.size()));
    result.resize(static_cast<std::size_t>(std::max(length, 0)));
    return result;
}

// [transmit_file]
// An extension function, as AcceptEx is.
LPFN_TRANSMITFILE load_transmit_file(SOCKET socket) {
    GUID id = WSAID_TRANSMITFILE;
    LPFN_TRANSMITFILE found = nullptr;
    DWORD bytes = 0;
    if (::WSAIoctl(socket, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof id, &found,
                   sizeof found, &bytes, nullptr, nullptr) == SOCKET_ERROR) {
        iocp::fail(::WSAGetLastError(), "WSAIoctl", "TransmitFile");
    }
    return found;
}
// [/transmit_file]

// [server]
struct server {
    server(const options& wanted, service& shared, iocp::unique_socket listener, int family)
        : all{shared}, transmit{wanted.transmit ? load_transmit_file(listener.get())
                                                : nullptr},
          clients{std::move(listener), family, all.port, 16,
                  [this](iocp::unique_socket accepted) { start(std::move(accepted)); }},
          pipes{wide(wanted.pipe), all}, with_pipes{!wanted.pipe.empty()} {}

    void start(iocp::unique_socket accepted) {
        iocp::associate(accepted.get(), all.port);
        iocp::send_without_delay(accepted.get());
        client::start(std::make_unique<socket_client>(std::move(accepted), all, transmit));
    }

    void look_after_doors() noexcept {
        clients.top_up();
        if (with_pipes) {
            pipes.listen();
        }
    }

    // The workers have ended. Closing the handles ends what is in flight on them; what is
    // in flight on a file or on the log ends by itself.
    ~server() {
        clients.close();
        all.live.for_each([](client& c) { c.close(); });
        while (!clients.all_back() || all.live.size() > 0) {
            constexpr DWORD patience_ms = 10'000; // no driver promises to end an operation
            const iocp::packet packet = iocp::dequeue(all.port, patience_ms);
            if (packet.overlapped == nullptr) {
                iocp::report(packet.ended.error, "GetQueuedCompletionStatus");
                std::abort(); // what is lent cannot come back, and is not freed
            }
            static_cast<operation*>(packet.overlapped)->complete(packet.ended);
        }
    }

    service& all;
    const LPFN_TRANSMITFILE transmit;
    acceptor clients;
    pipe_door pipes;
    const bool with_pipes;
};
// [/server]

} // namespace

int main(int argc, char** argv) {
    options wanted;
    iocp::command_line{"files", "files and named pipes on a port"}
        .server(wanted.where)
        .text("--folder", wanted.folder, "the folder whose files are served; needed")
        .text("--pipe", wanted.pipe, "a named pipe to serve as well: its name")
        .text("--log", wanted.log, "a file for a line about each answer")
        .flag("--transmit", wanted.transmit, "send files with TransmitFile")
        .number("--workers", wanted.workers, 1, 64, "threads that take packets")
        .parse(argc, argv);
    if (wanted.folder.empty()) {
        std::fprintf(stderr, "files: --folder is missing\n");
        return 2;
    }
    try {
        const iocp::winsock winsock;
        const iocp::stop_signal stop;
        service all{wide(wanted.folder)};
        all.log.open(wide(wanted.log), all.port);
        const iocp::address where{wanted.where.host, wanted.where.port};
        iocp::unique_socket listener = iocp::overlapped_socket(where.family());
        iocp::start_listening(listener.get(), where);

        {
            server s{wanted, all, std::move(listener), where.family()};
            const iocp::worker_pool pool{all.port, wanted.workers,
                                         [&all] { work(all.port); }};
            do {
                s.look_after_doors();
            } while (!stop.wait(1000)); // the main thread is the clock
        }
        std::printf("files served: %llu; bytes: %llu\n",
                    static_cast<unsigned long long>(all.served.load()),
                    static_cast<unsigned long long>(all.bytes.load()));
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
