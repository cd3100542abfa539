// A right program that takes no memory while it works, so that all that is taken then is the watch's. Of that the one
// with the number in the arguments fails, or it and all that follow.
//
//     program.exe NUMBER [on]
//
// It ends with status 0 when each of its calls has done what it does without the watch.

#include <winsock2.h>

#include <windows.h>
#include <ws2tcpip.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

namespace {

std::atomic<long> left = 0; // until one fails; 0: none will
std::atomic<bool> and_on = false;
std::atomic<bool> working = false;

bool fails() {
    if (!working) {
        return false;
    }
    const long before = left.fetch_sub(1);
    return before == 1 || (before < 1 && and_on);
}

} // namespace

// The watch is linked with this program, and takes its memory here.
void* operator new(std::size_t bytes) {
    void* const block = fails() ? nullptr : std::malloc(bytes);
    if (block == nullptr) {
        throw std::bad_alloc();
    }
    return block;
}

void operator delete(void* block) noexcept {
    std::free(block);
}

void operator delete(void* block, std::size_t) noexcept {
    std::free(block);
}

namespace {

constexpr DWORD patience_ms = 5000;

void check(bool good, const char* what) {
    if (!good) {
        working = false;
        std::fprintf(stderr, "%s has not done what it should: %lu\n", what, ::GetLastError());
        std::exit(1);
    }
}

struct pair {
    SOCKET ours = INVALID_SOCKET;
    SOCKET theirs = INVALID_SOCKET;
};

pair connected() {
    const SOCKET listener = ::WSASocketW(AF_INET, SOCK_STREAM, 0, nullptr, 0, WSA_FLAG_OVERLAPPED);
    check(listener != INVALID_SOCKET, "WSASocketW");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    int length = sizeof(address);
    auto* const where = reinterpret_cast<sockaddr*>(&address);
    check(::bind(listener, where, length) == 0, "bind");
    check(::listen(listener, 1) == 0, "listen");
    check(::getsockname(listener, where, &length) == 0, "getsockname");
    pair made;
    made.ours = ::WSASocketW(AF_INET, SOCK_STREAM, 0, nullptr, 0, WSA_FLAG_OVERLAPPED);
    check(made.ours != INVALID_SOCKET, "WSASocketW");
    check(::connect(made.ours, where, length) == 0, "connect");
    made.theirs = ::accept(listener, nullptr, nullptr);
    check(made.theirs != INVALID_SOCKET, "accept");
    check(::closesocket(listener) == 0, "closesocket");
    return made;
}

void send_five(SOCKET socket) {
    check(::send(socket, "hello", 5, 0) == 5, "send");
}

void receive(SOCKET socket, char (&room)[8], OVERLAPPED* overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine) {
    WSABUF buffer{sizeof(room), room};
    DWORD flags = 0;
    const int result = ::WSARecv(socket, &buffer, 1, nullptr, &flags, overlapped, routine);
    check(result == 0 || ::WSAGetLastError() == WSA_IO_PENDING, "WSARecv");
}

void with_port() {
    const pair both = connected();
    const HANDLE port = ::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 0);
    check(port != nullptr, "CreateIoCompletionPort");
    check(::CreateIoCompletionPort(reinterpret_cast<HANDLE>(both.ours), port, 7, 0) == port, "CreateIoCompletionPort");
    char room[8] = {};
    OVERLAPPED overlapped{};
    receive(both.ours, room, &overlapped, nullptr);
    send_five(both.theirs);
    DWORD bytes = 0;
    ULONG_PTR key = 0;
    OVERLAPPED* back = nullptr;
    check(::GetQueuedCompletionStatus(port, &bytes, &key, &back, patience_ms) && back == &overlapped && bytes == 5 &&
              key == 7 && std::memcmp(room, "hello", 5) == 0,
          "GetQueuedCompletionStatus");
    check(::PostQueuedCompletionStatus(port, 0, 9, nullptr), "PostQueuedCompletionStatus");
    check(::GetQueuedCompletionStatus(port, &bytes, &key, &back, patience_ms) && key == 9, "GetQueuedCompletionStatus");
    check(!::GetQueuedCompletionStatus(port, &bytes, &key, &back, 1) && ::GetLastError() == WAIT_TIMEOUT,
          "GetQueuedCompletionStatus");
    check(::closesocket(both.ours) == 0 && ::closesocket(both.theirs) == 0, "closesocket");
    check(::CloseHandle(port), "CloseHandle");
}

void with_event() {
    const pair both = connected();
    const WSAEVENT event = ::WSACreateEvent();
    check(event != WSA_INVALID_EVENT, "WSACreateEvent");
    char room[8] = {};
    OVERLAPPED overlapped{};
    overlapped.hEvent = event;
    receive(both.ours, room, &overlapped, nullptr);
    send_five(both.theirs);
    check(::WSAWaitForMultipleEvents(1, &event, TRUE, patience_ms, FALSE) == WSA_WAIT_EVENT_0,
          "WSAWaitForMultipleEvents");
    DWORD bytes = 0;
    DWORD flags = 0;
    check(::WSAGetOverlappedResult(both.ours, &overlapped, &bytes, FALSE, &flags) && bytes == 5,
          "WSAGetOverlappedResult");
    check(::WSACloseEvent(event), "WSACloseEvent");
    check(::closesocket(both.ours) == 0 && ::closesocket(both.theirs) == 0, "closesocket");
}

DWORD routine_bytes = 0;

void CALLBACK routine(DWORD error, DWORD bytes, OVERLAPPED*, DWORD) {
    routine_bytes = error == 0 ? bytes : 0;
}

void with_routine() {
    const pair both = connected();
    char room[8] = {};
    OVERLAPPED overlapped{};
    routine_bytes = 0;
    receive(both.ours, room, &overlapped, &routine);
    send_five(both.theirs);
    check(::SleepEx(patience_ms, TRUE) == WAIT_IO_COMPLETION && routine_bytes == 5, "the completion routine");
    check(::closesocket(both.ours) == 0 && ::closesocket(both.theirs) == 0, "closesocket");
}

struct called_back {
    HANDLE done;
    ULONG_PTR bytes;
};

void CALLBACK callback(PTP_CALLBACK_INSTANCE, void* context, void*, ULONG error, ULONG_PTR bytes, PTP_IO) {
    auto* const told = static_cast<called_back*>(context);
    told->bytes = error == 0 ? bytes : 0;
    ::SetEvent(told->done);
}

void with_pool() {
    const pair both = connected();
    called_back told{::CreateEventW(nullptr, TRUE, FALSE, nullptr), 0};
    check(told.done != nullptr, "CreateEventW");
    const PTP_IO io = ::CreateThreadpoolIo(reinterpret_cast<HANDLE>(both.ours), &callback, &told, nullptr);
    check(io != nullptr, "CreateThreadpoolIo");
    char room[8] = {};
    OVERLAPPED overlapped{};
    ::StartThreadpoolIo(io);
    receive(both.ours, room, &overlapped, nullptr);
    send_five(both.theirs);
    check(::WaitForSingleObject(told.done, patience_ms) == WAIT_OBJECT_0 && told.bytes == 5, "the callback");
    check(::closesocket(both.ours) == 0 && ::closesocket(both.theirs) == 0, "closesocket");
    ::WaitForThreadpoolIoCallbacks(io, FALSE);
    ::CloseThreadpoolIo(io);
    check(::CloseHandle(told.done), "CloseHandle");
}

void with_thread() {
    const HANDLE thread = ::CreateThread(
        nullptr, 0,
        [](void*) -> DWORD {
            with_port();
            return 5;
        },
        nullptr, 0, nullptr);
    check(thread != nullptr, "CreateThread");
    check(::WaitForSingleObject(thread, patience_ms) == WAIT_OBJECT_0, "WaitForSingleObject");
    DWORD status = 0;
    check(::GetExitCodeThread(thread, &status) && status == 5, "the thread");
    check(::CloseHandle(thread), "CloseHandle");
    void* const block = std::malloc(64);
    check(block != nullptr, "malloc");
    std::free(block);
}

} // namespace

int main(int count, char** arguments) {
    WSADATA data{};
    check(::WSAStartup(MAKEWORD(2, 2), &data) == 0, "WSAStartup");
    left = count > 1 ? std::strtol(arguments[1], nullptr, 10) : 0;
    and_on = count > 2;
    working = true;
    with_port();
    with_event();
    with_routine();
    with_pool();
    with_thread();
    working = false;
    check(::WSACleanup() == 0, "WSACleanup");
    return 0;
}
