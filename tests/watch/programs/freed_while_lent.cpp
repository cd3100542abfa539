// freed-while-lent: memory is freed that an operation still has.
//
// A receive that succeeds at once has filled its buffer, but its packet comes all the same (skip mode apart), with a
// pointer into what was freed. After closesocket or CancelIoEx it is worse: the operation is still to end, and Windows
// writes that end into memory that somebody else may have by then. Either is a crash, later and somewhere else.

#include "pair.hpp"

#include "common/event.hpp"
#include "common/skip_mode.hpp"

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include <malloc.h>

using namespace programs;

namespace {

// [connection]
struct connection {
    char name[32]; // so that the OVERLAPPED is in the middle of the block
    OVERLAPPED overlapped;
    char room[64];
};

using routine = LPWSAOVERLAPPED_COMPLETION_ROUTINE;

// \return whether it succeeded at once
bool receive(SOCKET socket, OVERLAPPED& overlapped, char* room, routine tell = nullptr) {
    WSABUF buffer{sizeof connection::room, room};
    DWORD flags = 0;
    // submitted
    const int returned = ::WSARecv(socket, &buffer, 1, nullptr, &flags, &overlapped, tell);
    check_submitted(returned, "WSARecv");
    return returned == 0;
}
// [/connection]

// [wrong]
void wrong() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    make_readable(sockets);
    auto* const c = new connection{};
    if (receive(sockets.ours, c->overlapped, c->room)) {
        // here: the data is there, but the packet is still to come
        delete c;
    }
    dequeue(port); // it points to what was freed
}
// [/wrong]

// [right]
void right() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    make_readable(sockets);
    auto* const c = new connection{};
    receive(sockets.ours, c->overlapped, c->room); // at once or not: the packet tells
    dequeue(port);
    delete c;
}
// [/right]

// [wrong_aligned]
// A connection that begins a line of the processor's cache.
void wrong_aligned() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    make_readable(sockets);
    auto* const c = static_cast<connection*>(::_aligned_malloc(sizeof(connection), 64));
    check(c != nullptr, "_aligned_malloc");
    c->overlapped = {};
    receive(sockets.ours, c->overlapped, c->room);
    // here: the packet is still to come
    ::_aligned_free(c);
    dequeue(port);
}
// [/wrong_aligned]

// [wrong_local]
void wrong_local() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    make_readable(sockets);
    auto* const c = static_cast<connection*>(::LocalAlloc(LPTR, sizeof(connection)));
    check(c != nullptr, "LocalAlloc");
    receive(sockets.ours, c->overlapped, c->room);
    // here: the packet is still to come
    ::LocalFree(c);
    dequeue(port);
}
// [/wrong_local]

// [wrong_heap]
// A heap of its own for a connection, which goes as a whole.
void wrong_heap() {
    pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    const HANDLE heap = ::HeapCreate(0, 0, 0);
    check(heap != nullptr, "HeapCreate");
    auto* const c = static_cast<connection*>(::HeapAlloc(heap, HEAP_ZERO_MEMORY, sizeof(connection)));
    check(c != nullptr, "HeapAlloc");
    receive(sockets.ours, c->overlapped, c->room);
    ::closesocket(std::exchange(sockets.ours, INVALID_SOCKET));
    // here: the packet is still to come
    ::HeapDestroy(heap);
    dequeue(port);
}
// [/wrong_heap]

// [wrong_fiber]
void* scheduler;
const pair* of_the_task;

// A task with a stack of its own.
void CALLBACK task(void*) {
    OVERLAPPED overlapped{};
    char room[sizeof(connection::room)];
    receive(of_the_task->ours, overlapped, room);
    ::SwitchToFiber(scheduler);
}

void wrong_fiber() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    make_readable(sockets);
    of_the_task = &sockets;
    scheduler = ::ConvertThreadToFiber(nullptr);
    check(scheduler != nullptr, "ConvertThreadToFiber");
    void* const fiber = ::CreateFiber(0, task, nullptr);
    check(fiber != nullptr, "CreateFiber");
    ::SwitchToFiber(fiber);
    // here: its stack goes, and the packet is still to come
    ::DeleteFiber(fiber);
    dequeue(port);
}
// [/wrong_fiber]

// [right_fiber]
void right_fiber() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    make_readable(sockets);
    of_the_task = &sockets;
    scheduler = ::ConvertThreadToFiber(nullptr);
    check(scheduler != nullptr, "ConvertThreadToFiber");
    void* const fiber = ::CreateFiber(0, task, nullptr);
    check(fiber != nullptr, "CreateFiber");
    ::SwitchToFiber(fiber);
    dequeue(port);
    ::DeleteFiber(fiber);
}
// [/right_fiber]

// [wrong_free]
void wrong_free() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    make_readable(sockets);
    auto* const c = static_cast<connection*>(std::calloc(1, sizeof(connection)));
    check(c != nullptr, "calloc");
    if (receive(sockets.ours, c->overlapped, c->room)) {
        // here: the packet is still to come
        std::free(c);
    }
    dequeue(port);
}
// [/wrong_free]

OVERLAPPED static_overlapped;

// [wrong_buffer]
void wrong_buffer() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    make_readable(sockets);
    char* const room = new char[sizeof connection::room];
    if (receive(sockets.ours, static_overlapped, room)) {
        // here: the OVERLAPPED lives on, the buffer does not
        delete[] room;
    }
    dequeue(port);
}
// [/wrong_buffer]

// [wrong_realloc]
void wrong_realloc() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    make_readable(sockets);
    void* room = std::malloc(sizeof connection::room);
    check(room != nullptr, "malloc");
    receive(sockets.ours, static_overlapped, static_cast<char*>(room));
    // here: a larger buffer for the next message, and the old one goes
    void* const larger = std::realloc(room, 1 << 20);
    check(larger != nullptr, "realloc");
    room = larger;
    dequeue(port);
    std::free(room);
}
// [/wrong_realloc]

// [wrong_heapfree]
void wrong_heapfree() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    make_readable(sockets);
    void* const block = ::HeapAlloc(::GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof(connection));
    check(block != nullptr, "HeapAlloc");
    auto* const c = static_cast<connection*>(block);
    if (receive(sockets.ours, c->overlapped, c->room)) {
        // here: the packet is still to come
        check(::HeapFree(::GetProcessHeap(), 0, block), "HeapFree");
    }
    dequeue(port);
}
// [/wrong_heapfree]

// [wrong_heaprealloc]
void wrong_heaprealloc() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    make_readable(sockets);
    void* room = ::HeapAlloc(::GetProcessHeap(), 0, sizeof connection::room);
    check(room != nullptr, "HeapAlloc");
    receive(sockets.ours, static_overlapped, static_cast<char*>(room));
    // here: a larger buffer for the next message, and the old one goes
    void* const larger = ::HeapReAlloc(::GetProcessHeap(), 0, room, 1 << 20);
    check(larger != nullptr, "HeapReAlloc");
    room = larger;
    dequeue(port);
    check(::HeapFree(::GetProcessHeap(), 0, room), "HeapFree");
}
// [/wrong_heaprealloc]

// [wrong_virtualfree]
void wrong_virtualfree() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    make_readable(sockets);
    void* const page = ::VirtualAlloc(nullptr, 4096, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    check(page != nullptr, "VirtualAlloc");
    auto* const c = static_cast<connection*>(page);
    if (receive(sockets.ours, c->overlapped, c->room)) {
        // here: the packet is still to come
        check(::VirtualFree(page, 0, MEM_RELEASE), "VirtualFree");
    }
    dequeue(port);
}
// [/wrong_virtualfree]

// A heap of its own: nobody gets the block next, so that what is written there late harms nothing.
struct own_heap {
    own_heap() { check(handle != nullptr, "HeapCreate"); }
    ~own_heap() { ::HeapDestroy(handle); }
    own_heap(const own_heap&) = delete;
    own_heap& operator=(const own_heap&) = delete;

    connection* make() const {
        void* const block = ::HeapAlloc(handle, HEAP_ZERO_MEMORY, sizeof(connection));
        check(block != nullptr, "HeapAlloc");
        return static_cast<connection*>(block);
    }

    HANDLE handle = ::HeapCreate(0, 0, 0);
};

void close(SOCKET& socket) {
    check(::closesocket(std::exchange(socket, INVALID_SOCKET)) == 0, "closesocket");
}

// [wrong_close]
void wrong_close() {
    pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    const own_heap heap;
    connection* const c = heap.make();
    receive(sockets.ours, c->overlapped, c->room);
    close(sockets.ours);
    // here: closing the socket begins the end of the receive, it does not wait for it
    check(::HeapFree(heap.handle, 0, c), "HeapFree");
    dequeue(port);
}
// [/wrong_close]

// [wrong_event]
void wrong_event() {
    const pair sockets;
    const iocp::unique_event event = iocp::make_event();
    const own_heap heap;
    connection* const c = heap.make();
    c->overlapped.hEvent = event.get();
    receive(sockets.ours, c->overlapped, c->room);
    constexpr DWORD a_moment = 10;
    if (::WaitForSingleObject(event.get(), a_moment) == WAIT_TIMEOUT) {
        // here: the wait is over, the receive is not
        check(::HeapFree(heap.handle, 0, c), "HeapFree");
    }
    say(sockets.theirs, "hello");
    wait_for(event.get());
}
// [/wrong_event]

// [wrong_close_routine]
void CALLBACK too_late(DWORD, DWORD, OVERLAPPED*, DWORD) {}

void wrong_close_routine() {
    pair sockets;
    const own_heap heap;
    connection* const c = heap.make();
    receive(sockets.ours, c->overlapped, c->room, too_late);
    close(sockets.ours);
    // here: the routine is still to be called, with this OVERLAPPED
    check(::HeapFree(heap.handle, 0, c), "HeapFree");
    check(::SleepEx(patience_ms, TRUE) == WAIT_IO_COMPLETION, "SleepEx");
}
// [/wrong_close_routine]

// [right_close]
void right_close() {
    pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    auto c = std::make_unique<connection>();
    receive(sockets.ours, c->overlapped, c->room);
    close(sockets.ours);
    dequeue(port); // it has failed, and the connection is back
    c.reset();
}
// [/right_close]

// [right_close_event]
void right_close_event() {
    pair sockets;
    const iocp::unique_event event = iocp::make_event();
    auto c = std::make_unique<connection>();
    c->overlapped.hEvent = event.get();
    receive(sockets.ours, c->overlapped, c->room);
    close(sockets.ours);
    // There is no socket left to ask for the result with; but the event tells that the receive has ended.
    check(::WSAWaitForMultipleEvents(1, &c->overlapped.hEvent, TRUE, patience_ms, FALSE) == WSA_WAIT_EVENT_0,
          "WSAWaitForMultipleEvents");
    c.reset();
}
// [/right_close_event]

// [right_poll]
void right_poll() {
    const pair sockets;
    const iocp::unique_event event = iocp::make_event();
    auto c = std::make_unique<connection>();
    c->overlapped.hEvent = event.get();
    receive(sockets.ours, c->overlapped, c->room);
    say(sockets.theirs, "hello");
    wait_until_ended(c->overlapped); // HasOverlappedIoCompleted, which is no call
    c.reset();
}
// [/right_poll]

// [right_cancel]
void right_cancel() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    auto c = std::make_unique<connection>();
    receive(sockets.ours, c->overlapped, c->room);
    check(::CancelIoEx(reinterpret_cast<HANDLE>(sockets.ours), &c->overlapped), "CancelIoEx");
    dequeue(port);
    c.reset();
}
// [/right_cancel]

// [right_result]
void right_result() {
    const pair sockets;
    const iocp::unique_event event = iocp::make_event();
    auto c = std::make_unique<connection>();
    c->overlapped.hEvent = event.get();
    receive(sockets.ours, c->overlapped, c->room);
    say(sockets.theirs, "hello");
    DWORD bytes = 0;
    DWORD flags = 0;
    check(::WSAGetOverlappedResult(sockets.ours, &c->overlapped, &bytes, TRUE, &flags), "WSAGetOverlappedResult");
    c.reset();
}
// [/right_result]

// [right_routine]
void CALLBACK free_connection(DWORD, DWORD, OVERLAPPED* back, DWORD) {
    delete CONTAINING_RECORD(back, connection, overlapped);
}

void right_routine() {
    const pair sockets;
    auto* const c = new connection{};
    receive(sockets.ours, c->overlapped, c->room, free_connection);
    say(sockets.theirs, "hello");
    check(::SleepEx(patience_ms, TRUE) == WAIT_IO_COMPLETION, "SleepEx");
}
// [/right_routine]

// [right_skip]
void right_skip() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    check(iocp::turn_on_skip_mode(sockets.ours), "SetFileCompletionNotificationModes");
    make_readable(sockets);
    auto c = std::make_unique<connection>();
    if (!receive(sockets.ours, c->overlapped, c->room)) {
        dequeue(port);
    } // else no packet comes
    c.reset();
}
// [/right_skip]

// [right_failure]
void right_failure() {
    const pair sockets;
    const iocp::unique_handle port = port_of(sockets);
    check(::shutdown(sockets.ours, SD_SEND) == 0, "shutdown");
    auto c = std::make_unique<connection>();
    WSABUF buffer{sizeof c->room, c->room};
    check(::WSASend(sockets.ours, &buffer, 1, nullptr, 0, &c->overlapped, nullptr) == SOCKET_ERROR &&
              ::WSAGetLastError() == WSAESHUTDOWN,
          "WSASend");
    c.reset(); // the send was never started
}
// [/right_failure]

iocp::unique_handle opened(HANDLE handle, const iocp::unique_handle& port, const char* call) {
    check(handle != INVALID_HANDLE_VALUE, call);
    iocp::associate(reinterpret_cast<SOCKET>(handle), port);
    return iocp::unique_handle{handle};
}

// A file on a port, with five bytes in it.
iocp::unique_handle file_on(const iocp::unique_handle& port) {
    const std::filesystem::path path =
        std::filesystem::temp_directory_path() / (L"iocp_freed_while_lent_" + std::to_wstring(::GetCurrentProcessId()));
    iocp::unique_handle file =
        opened(::CreateFileW(path.c_str(), GENERIC_READ | GENERIC_WRITE, 0, nullptr, CREATE_ALWAYS,
                             FILE_FLAG_OVERLAPPED | FILE_FLAG_DELETE_ON_CLOSE, nullptr),
               port, "CreateFileW");
    OVERLAPPED write{};
    check(::WriteFile(file.get(), "hello", 5, nullptr, &write) || ::GetLastError() == ERROR_IO_PENDING, "WriteFile");
    dequeue(port);
    return file;
}

// An instance of a pipe on a port, and its client.
struct pipe_pair {
    explicit pipe_pair(const iocp::unique_handle& port) {
        const std::wstring path = L"\\\\.\\pipe\\iocp_freed_while_lent_" + std::to_wstring(::GetCurrentProcessId());
        ours = opened(::CreateNamedPipeW(path.c_str(), PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED, PIPE_TYPE_BYTE, 1,
                                         4096, 4096, 0, nullptr),
                      port, "CreateNamedPipeW");
        OVERLAPPED connect{};
        check(!::ConnectNamedPipe(ours.get(), &connect) && ::GetLastError() == ERROR_IO_PENDING, "ConnectNamedPipe");
        theirs.reset(::CreateFileW(path.c_str(), GENERIC_READ | GENERIC_WRITE, 0, nullptr, OPEN_EXISTING, 0, nullptr));
        check(theirs.get() != INVALID_HANDLE_VALUE, "CreateFileW");
        dequeue(port);
    }

    iocp::unique_handle ours;
    iocp::unique_handle theirs;
};

void read(HANDLE from, connection& c) {
    check(::ReadFile(from, c.room, sizeof c.room, nullptr, &c.overlapped) || ::GetLastError() == ERROR_IO_PENDING,
          "ReadFile");
}

// [wrong_file]
void wrong_file() {
    const iocp::unique_handle port = iocp::make_port(0);
    const iocp::unique_handle file = file_on(port);
    auto* const c = new connection{};
    // submitted
    read(file.get(), *c);
    // here: however quick the disk is, the packet is still to come
    delete c;
    dequeue(port);
}
// [/wrong_file]

// [wrong_pipe]
void wrong_pipe() {
    const iocp::unique_handle port = iocp::make_port(0);
    pipe_pair pipe{port};
    const own_heap heap;
    connection* const c = heap.make();
    // submitted
    read(pipe.ours.get(), *c);
    // here: the client has said nothing yet
    check(::HeapFree(heap.handle, 0, c), "HeapFree");
    pipe.theirs.reset();
    dequeue(port);
}
// [/wrong_pipe]

void right_file() {
    const iocp::unique_handle port = iocp::make_port(0);
    const iocp::unique_handle file = file_on(port);
    auto c = std::make_unique<connection>();
    read(file.get(), *c);
    dequeue(port);
    c.reset();
}

void right_pipe() {
    const iocp::unique_handle port = iocp::make_port(0);
    pipe_pair pipe{port};
    auto c = std::make_unique<connection>();
    read(pipe.ours.get(), *c);
    pipe.theirs.reset(); // which ends the read
    dequeue(port);
    c.reset();
}

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv,
               {{"wrong", wrong},
                {"wrong aligned", wrong_aligned},
                {"wrong local", wrong_local},
                {"wrong heap", wrong_heap},
                {"wrong fiber", wrong_fiber},
                {"right fiber", right_fiber},
                {"wrong free", wrong_free},
                {"wrong buffer", wrong_buffer},
                {"wrong realloc", wrong_realloc},
                {"wrong heapfree", wrong_heapfree},
                {"wrong heaprealloc", wrong_heaprealloc},
                {"wrong virtualfree", wrong_virtualfree},
                {"wrong close", wrong_close},
                {"wrong event", wrong_event},
                {"wrong close_routine", wrong_close_routine},
                {"right", right},
                {"right close", right_close},
                {"right close_event", right_close_event},
                {"right poll", right_poll},
                {"right cancel", right_cancel},
                {"right result", right_result},
                {"right routine", right_routine},
                {"right skip", right_skip},
                {"right failure", right_failure},
                {"wrong file", wrong_file},
                {"wrong pipe", wrong_pipe},
                {"right file", right_file},
                {"right pipe", right_pipe}});
}
