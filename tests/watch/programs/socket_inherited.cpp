// socket-inherited: a process is started that inherits a socket.
//
// A socket can be inherited unless it was made otherwise, and CreateProcess with bInheritHandles hands on all that can
// be. The socket then has two owners: closing it here ends no operation and no connection, and its port stays taken,
// for as long as the other process lives.

#include "pair.hpp"

using namespace programs;

namespace {

// [start]
void start_and_wait() {
    char line[] = "cmd.exe /c exit";
    STARTUPINFOA how{};
    how.cb = sizeof how;
    PROCESS_INFORMATION made{};
    // here
    const BOOL started = ::CreateProcessA(nullptr, line, nullptr, nullptr, TRUE, 0, nullptr, nullptr, &how, &made);
    check(started, "CreateProcessA");
    wait_for(made.hProcess);
    ::CloseHandle(made.hThread);
    ::CloseHandle(made.hProcess);
}
// [/start]

// [wrong]
void wrong() {
    const iocp::unique_socket socket{::WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, nullptr, 0, WSA_FLAG_OVERLAPPED)};
    check(socket.get() != INVALID_SOCKET, "WSASocketW");
    start_and_wait();
}
// [/wrong]

// [right]
void right() {
    const iocp::unique_socket socket{
        ::WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, nullptr, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT)};
    check(socket.get() != INVALID_SOCKET, "WSASocketW");
    start_and_wait();
}
// [/right]

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", wrong}, {"right", right}});
}
