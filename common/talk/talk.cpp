// talk: a small client for trying a server by hand. What you type goes out, what comes back
// is shown.

#include "common/address.hpp"
#include "common/command_line.hpp"
#include "common/error.hpp"
#include "common/unique.hpp"

#include <winsock2.h>

#include <windows.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>

namespace {

// A stream takes as much as it can: the rest is sent again.
void send_all(SOCKET server, const char* data, int size) {
    while (size > 0) {
        const int sent = ::send(server, data, size, 0);
        if (sent == SOCKET_ERROR) {
            iocp::fail(::WSAGetLastError(), "send");
        }
        data += sent;
        size -= sent;
    }
}

// Reads what is typed, or piped in, until its end; then tells the server that nothing more
// will come.
void send_input(SOCKET server) noexcept {
    const HANDLE input = ::GetStdHandle(STD_INPUT_HANDLE);
    char buffer[4096];
    try {
        for (;;) {
            DWORD count = 0;
            // ReadFile and not std::fread: that would hold a lock on stdin, which the end
            // of the program waits for.
            if (!::ReadFile(input, buffer, sizeof buffer, &count, nullptr)) {
                const DWORD code = ::GetLastError();
                if (code == ERROR_OPERATION_ABORTED) { // end_input: there is nobody to tell
                    return;
                }
                if (code != ERROR_BROKEN_PIPE) { // a pipe whose writer has left: the end
                    iocp::fail(code, "ReadFile", "standard input");
                }
                count = 0;
            }
            if (count == 0) {
                break;
            }
            send_all(server, buffer, static_cast<int>(count));
        }
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
    }
    if (::shutdown(server, SD_SEND) == SOCKET_ERROR) {
        iocp::report(::WSAGetLastError(), "shutdown");
    }
}

// [end_input]
std::atomic<DWORD> input_thread = 0; // its number, once it has begun

// The server has gone, and the thread that waits for a key has nothing left to do. Its read
// is asked to end. It may not be inside it at this moment, so it is asked again; and there
// are reads that cannot be ended so.
// \return whether the thread has ended
bool end_input() noexcept {
    const iocp::unique_handle thread{
        ::OpenThread(THREAD_TERMINATE | SYNCHRONIZE, FALSE, input_thread)};
    for (int tries = 0; thread && tries < 10; ++tries) {
        constexpr DWORD patience_ms = 5;
        if (::WaitForSingleObject(thread.get(), patience_ms) == WAIT_OBJECT_0) {
            return true;
        }
        if (!::CancelSynchronousIo(thread.get()) && ::GetLastError() != ERROR_NOT_FOUND) {
            iocp::report(::GetLastError(), "CancelSynchronousIo");
            return false;
        }
    }
    return false;
}
// [/end_input]

// Until the server has nothing more to say, or nobody reads what is shown.
void show_answers(SOCKET server) {
    const HANDLE output = ::GetStdHandle(STD_OUTPUT_HANDLE);
    char buffer[4096];
    for (;;) {
        const int received = ::recv(server, buffer, sizeof buffer, 0);
        if (received == SOCKET_ERROR) {
            iocp::fail(::WSAGetLastError(), "recv");
        }
        if (received == 0) {
            return;
        }
        // WriteFile and not std::fwrite, which would turn each line feed into two
        // characters. It may take less, too.
        for (DWORD shown = 0; shown < static_cast<DWORD>(received);) {
            DWORD count = 0;
            if (!::WriteFile(output, buffer + shown, static_cast<DWORD>(received) - shown,
                             &count, nullptr)) {
                iocp::fail(::GetLastError(), "WriteFile", "standard output");
            }
            shown += count;
        }
    }
}

// Each line is a datagram and has one for its answer. Either may get lost.
void ask(const iocp::address& where) {
    const iocp::unique_socket server{::socket(where.family(), SOCK_DGRAM, IPPROTO_UDP)};
    if (!server) {
        iocp::fail(::WSAGetLastError(), "socket");
    }
    // For datagrams this sends nothing. It says where they go, and from whom to receive.
    if (::connect(server.get(), where.get(), where.length()) == SOCKET_ERROR) {
        iocp::fail(::WSAGetLastError(), "connect", where.text());
    }
    std::string line;
    char answer[65'536];
    while (std::getline(std::cin, line)) {
        // A failure may be about the line before: nobody was there.
        if (::send(server.get(), line.data(), static_cast<int>(line.size()), 0) ==
            SOCKET_ERROR) {
            iocp::report(::WSAGetLastError(), "send");
            continue;
        }
        WSAPOLLFD readable{server.get(), POLLRDNORM, 0};
        constexpr INT patience_ms = 1000;
        const int ready = ::WSAPoll(&readable, 1, patience_ms);
        if (ready == SOCKET_ERROR) {
            iocp::fail(::WSAGetLastError(), "WSAPoll");
        }
        if (ready == 0) {
            std::fprintf(stderr, "no answer in %d ms\n", patience_ms);
            continue;
        }
        const int length = ::recv(server.get(), answer, sizeof answer, 0);
        if (length == SOCKET_ERROR) {
            iocp::report(::WSAGetLastError(), "recv");
            continue;
        }
        std::printf("%.*s\n", length, answer);
        std::fflush(stdout);
    }
}

void talk_to(const iocp::address& where) {
    iocp::unique_socket server{::socket(where.family(), SOCK_STREAM, IPPROTO_TCP)};
    if (!server) {
        iocp::fail(::WSAGetLastError(), "socket");
    }
    if (::connect(server.get(), where.get(), where.length()) == SOCKET_ERROR) {
        iocp::fail(::WSAGetLastError(), "connect", where.text());
    }
    std::fprintf(stderr, "connected to %s\n", where.text().c_str());

    // One thread for each direction: neither waits for the other. The one that waits for a
    // key may go on waiting, so the socket that it may be sending on belongs to it from
    // here on.
    const SOCKET connection = server.release();
    std::thread input;
    try {
        input = std::thread{[connection] {
            input_thread = ::GetCurrentThreadId();
            send_input(connection);
        }};
    } catch (const std::exception& problem) {
        throw std::runtime_error{"std::thread: " + std::string{problem.what()}};
    }
    try {
        show_answers(connection);
    } catch (...) {
        input.detach();
        throw;
    }
    std::fprintf(stderr, "the server has closed the connection\n");
    if (end_input()) {
        input.join();
        server.reset(connection); // and this function closes it
    } else {
        input.detach();
    }
}

} // namespace

int main(int argc, char** argv) {
    unsigned port = 6000;
    bool datagrams = false;
    iocp::command_line{"talk", "what you type goes to the server, what comes back is shown"}
        .number("--port", port, 1, 65535, "the server's port on this machine")
        .flag("--udp", datagrams, "each line is a datagram")
        .parse(argc, argv);
    int status = 0;
    WSADATA about{};
    const int refused = ::WSAStartup(MAKEWORD(2, 2), &about);
    if (refused != 0) {
        iocp::report(refused, "WSAStartup");
        return 1;
    }
    try {
        const iocp::address where{"127.0.0.1", static_cast<std::uint16_t>(port)};
        if (datagrams) {
            ask(where);
        } else {
            talk_to(where);
        }
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        status = 1;
    }
    // No WSACleanup and no destructors: the other thread may be inside a call. The system
    // closes what is open.
    std::_Exit(status);
}
