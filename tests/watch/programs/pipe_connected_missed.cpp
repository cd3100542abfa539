// pipe-connected-missed: a client connects to a named pipe before the server waits for one.
//
// ConnectNamedPipe says so with 535. The client is there, and no packet comes: a server that waits for one does not
// serve this client, nor, since this was the instance that waited, the next.

#include "pair.hpp"

using namespace programs;

namespace {

// [pipe]
struct instance {
    iocp::unique_handle pipe;
    iocp::unique_handle port;
    OVERLAPPED overlapped{};
};

const wchar_t* const path = L"\\\\.\\pipe\\iocp_pipe_connected_missed";

void open(instance& one) {
    const HANDLE made =
        ::CreateNamedPipeW(path, PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED, PIPE_TYPE_BYTE | PIPE_REJECT_REMOTE_CLIENTS,
                           PIPE_UNLIMITED_INSTANCES, 4096, 4096, 0, nullptr);
    check(made != INVALID_HANDLE_VALUE, "CreateNamedPipeW");
    one.pipe.reset(made);
    one.port = iocp::make_port(0);
    iocp::associate(reinterpret_cast<SOCKET>(made), one.port);
}
// [/pipe]

bool brings_a_packet(const iocp::unique_handle& port) {
    constexpr DWORD a_while = 200; // however long: nothing would come
    return iocp::dequeue(port, a_while).overlapped != nullptr;
}

// [wrong]
bool gets_its_client(instance& one) {
    ::ConnectNamedPipe(one.pipe.get(), &one.overlapped); // pending, or it has failed: the packet will tell
    return brings_a_packet(one.port);
}
// [/wrong]

// [right]
bool gets_its_client_right(instance& one) {
    if (!::ConnectNamedPipe(one.pipe.get(), &one.overlapped)) {
        const DWORD code = ::GetLastError();
        if (code == ERROR_PIPE_CONNECTED) {
            return true; // it was faster than we
        }
        check(code == ERROR_IO_PENDING, "ConnectNamedPipe");
    }
    return brings_a_packet(one.port);
}
// [/right]

void run_with(bool (*gets)(instance&)) {
    instance one;
    open(one);
    const HANDLE client =
        ::CreateFileW(path, GENERIC_READ | GENERIC_WRITE, 0, nullptr, OPEN_EXISTING, 0, nullptr); // before we wait
    check(client != INVALID_HANDLE_VALUE, "CreateFileW");
    const iocp::unique_handle closes{client};
    if (gets(one)) {
        well("The client was faster than the server, and is served.");
    } else {
        harm("A client is connected. The server waits for a packet that does not come.");
    }
}

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv,
               {{"wrong", [] { run_with(gets_its_client); }}, {"right", [] { run_with(gets_its_client_right); }}});
}
