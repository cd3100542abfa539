// A DLL that its program loads when the watch is long in place. It has Winsock in its own import table, and it frees
// lent memory at a bad moment: in DllMain, which Windows calls with the loader's lock held. The watch has to name the
// line, for which it needs the loader, and must not wait there for ever.

#include <winsock2.h>

#include <windows.h>

#include <ws2tcpip.h>

#include <cstddef>

namespace {

struct request {
    char before[64]; // the heap writes its own notes at the beginning of a free block
    OVERLAPPED overlapped;
    char buffer[64];
};

HANDLE heap = nullptr;
request* lent = nullptr;

// Connects two sockets of this process with each other.
bool connect(SOCKET& ours, SOCKET& theirs) {
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    int length = sizeof where;
    const SOCKET listener = ::socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    theirs = ::socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    if (::bind(listener, reinterpret_cast<const sockaddr*>(&where), length) != 0 || ::listen(listener, 1) != 0 ||
        ::getsockname(listener, reinterpret_cast<sockaddr*>(&where), &length) != 0 ||
        ::connect(theirs, reinterpret_cast<const sockaddr*>(&where), length) != 0) {
        return false;
    }
    ours = ::accept(listener, nullptr, nullptr);
    return ours != INVALID_SOCKET && ::closesocket(listener) == 0;
}

} // namespace

// Called by the program on a thread that ends soon.
// \return whether a receive is in flight
extern "C" __declspec(dllexport) BOOL begin_receive() {
    WSADATA data{};
    SOCKET ours = INVALID_SOCKET;
    SOCKET theirs = INVALID_SOCKET;
    if (::WSAStartup(MAKEWORD(2, 2), &data) != 0 || !connect(ours, theirs)) {
        return FALSE;
    }
    const HANDLE port = ::CreateIoCompletionPort(reinterpret_cast<HANDLE>(ours), nullptr, 0, 0);
    heap = ::HeapCreate(0, 0, 0);
    if (port == nullptr || heap == nullptr) {
        return FALSE;
    }
    auto* const next = static_cast<request*>(::HeapAlloc(heap, HEAP_ZERO_MEMORY, sizeof(request)));
    WSABUF buffer{sizeof next->buffer, next->buffer};
    DWORD flags = 0;
    if (::WSARecv(ours, &buffer, 1, nullptr, &flags, &next->overlapped, nullptr) != SOCKET_ERROR ||
        ::WSAGetLastError() != WSA_IO_PENDING) {
        return FALSE;
    }
    lent = next;
    return TRUE;
}

BOOL WINAPI DllMain(HINSTANCE, DWORD reason, void*) {
    if (reason == DLL_THREAD_DETACH && lent != nullptr) {
        ::HeapFree(heap, 0, lent);
        lent = nullptr;
    }
    return TRUE;
}
