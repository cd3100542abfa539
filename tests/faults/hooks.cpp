// What stands between a chapter's program and the calls that are to fail: the import table of the program, as the watch
// changes it too, and operator new. Before the program's own objects are made.

#include "tests/faults/rules.hpp"

#include "common/watch/import_table.hpp"

#include <winsock2.h>

#include <mswsock.h>
#include <ws2tcpip.h>
#include <mstcpip.h>

#include <windows.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <malloc.h>
#include <new>
#include <utility>

namespace faults {

namespace {

// The functions that can fail, the DLL that each is imported from, and what it returns then.
#define FAULTS_FUNCTIONS(X)                                                                                            \
    X(accept, L"ws2_32.dll", INVALID_SOCKET)                                                                           \
    X(socket, L"ws2_32.dll", INVALID_SOCKET)                                                                           \
    X(WSASocketW, L"ws2_32.dll", INVALID_SOCKET)                                                                       \
    X(closesocket, L"ws2_32.dll", SOCKET_ERROR)                                                                        \
    X(WSAEventSelect, L"ws2_32.dll", SOCKET_ERROR)                                                                     \
    X(WSACreateEvent, L"ws2_32.dll", nullptr)                                                                          \
    X(WSAEnumNetworkEvents, L"ws2_32.dll", SOCKET_ERROR)                                                               \
    X(WSAWaitForMultipleEvents, L"ws2_32.dll", WSA_WAIT_FAILED)                                                        \
    X(WSAGetOverlappedResult, L"ws2_32.dll", FALSE)                                                                    \
    X(WSAPoll, L"ws2_32.dll", SOCKET_ERROR)                                                                            \
    X(select, L"ws2_32.dll", SOCKET_ERROR)                                                                             \
    X(recv, L"ws2_32.dll", SOCKET_ERROR)                                                                               \
    X(send, L"ws2_32.dll", SOCKET_ERROR)                                                                               \
    X(WSARecv, L"ws2_32.dll", SOCKET_ERROR)                                                                            \
    X(WSASend, L"ws2_32.dll", SOCKET_ERROR)                                                                            \
    X(WSARecvFrom, L"ws2_32.dll", SOCKET_ERROR)                                                                        \
    X(shutdown, L"ws2_32.dll", SOCKET_ERROR)                                                                           \
    X(setsockopt, L"ws2_32.dll", SOCKET_ERROR)                                                                         \
    X(WSACleanup, L"ws2_32.dll", SOCKET_ERROR)                                                                         \
    X(CreateIoCompletionPort, L"kernel32.dll", nullptr)                                                                \
    X(PostQueuedCompletionStatus, L"kernel32.dll", FALSE)                                                              \
    X(GetQueuedCompletionStatusEx, L"kernel32.dll", FALSE)                                                             \
    X(SetFileCompletionNotificationModes, L"kernel32.dll", FALSE)                                                      \
    X(SetConsoleCtrlHandler, L"kernel32.dll", FALSE)

enum fault : std::size_t {
#define FAULTS_NAME(name, dll, result) name##_fails,
    FAULTS_FUNCTIONS(FAULTS_NAME)
#undef FAULTS_NAME
        GetQueuedCompletionStatus_fails,
    AcceptEx_fails,
    ConnectEx_fails,
    ConnectEx_ends,
    WSARecvFrom_ends,
    thread_fails,
    accept_arms_nothing,
    select_says_ready,
    getaddrinfo_finds_two,
    SIO_TCP_INITIAL_RTO_fails,
    new_fails,
};

constexpr const char* names[] = {
#define FAULTS_NAME(name, dll, result) #name,
    FAULTS_FUNCTIONS(FAULTS_NAME)
#undef FAULTS_NAME
        "GetQueuedCompletionStatus",
    "AcceptEx",
    "ConnectEx",
    "ConnectEx_ends",
    "WSARecvFrom_ends",
    "thread",
    "accept_arms_nothing",
    "select_says_ready",
    "getaddrinfo_finds_two",
    "SIO_TCP_INITIAL_RTO",
    "new",
};
static_assert(std::size(names) == new_fails + 1);

// One function of the system: `call` has its type and takes its place.
template <fault What, typename Function>
struct replaced;

template <fault What, typename Result, typename... Arguments>
struct replaced<What, Result WSAAPI(Arguments...)> {
    static inline Result(WSAAPI* real)(Arguments...) = nullptr;
    static inline Result failure{};

    static Result WSAAPI call(Arguments... arguments) {
        if (const std::uint32_t code = fault_of(What); code != none) {
            ::SetLastError(code); // where WSAGetLastError looks, too
            return failure;
        }
        return real(arguments...);
    }
};

// --- what needs more than that ---------------------------------------------------------------------------------------

// The socket that waits for FD_ACCEPT, and the event that tells of it.
constinit std::atomic<SOCKET> accepting_socket{INVALID_SOCKET};
constinit std::atomic<WSAEVENT> accepting_event{nullptr};

using plain_select = replaced<WSAEventSelect_fails, decltype(::WSAEventSelect)>;
int WSAAPI event_select(SOCKET socket, WSAEVENT event, long what) {
    if ((what & FD_ACCEPT) != 0) {
        accepting_socket = socket;
        accepting_event = event;
    }
    return plain_select::call(socket, event, what);
}

using plain_accept = replaced<accept_fails, decltype(::accept)>;
SOCKET WSAAPI accept_again(SOCKET listener, sockaddr* address, int* length) {
    const std::uint32_t code = fault_of(accept_fails);
    if (code == none) {
        if (const std::uint32_t quiet_code = fault_of(accept_arms_nothing); quiet_code != none) {
            ::SetLastError(quiet_code);
            return INVALID_SOCKET;
        }
        return plain_accept::real(listener, address, length);
    }
    // Microsoft: accept() arms FD_ACCEPT again, successful or not. The client is still there, so the event is set.
    if (listener == accepting_socket) {
        ::WSASetEvent(accepting_event);
    }
    ::SetLastError(code);
    return INVALID_SOCKET;
}

using plain_poll = replaced<WSAPoll_fails, decltype(::WSAPoll)>;
int WSAAPI poll_strictly(WSAPOLLFD* entries, ULONG count, int milliseconds) {
    for (ULONG i = 0; i < count; ++i) {
        if (entries[i].events == 0) {
            ::SetLastError(WSAEINVAL);
            return SOCKET_ERROR;
        }
    }
    return plain_poll::call(entries, count, milliseconds);
}

// In some headers the time is const, in some it is not.
template <typename Function>
struct lying_select;

template <typename Time>
struct lying_select<int WSAAPI(int, fd_set*, fd_set*, fd_set*, Time)> {
    using plain = replaced<select_fails, int WSAAPI(int, fd_set*, fd_set*, fd_set*, Time)>;
    static int WSAAPI call(int ignored, fd_set* readable, fd_set* writable, fd_set* failed, Time limit) {
        if (fault_of(select_says_ready) != none) {
            return static_cast<int>((readable == nullptr ? 0 : readable->fd_count) +
                                    (writable == nullptr ? 0 : writable->fd_count) +
                                    (failed == nullptr ? 0 : failed->fd_count));
        }
        return plain::call(ignored, readable, writable, failed, limit);
    }
};

constinit std::atomic<bool> winsock_is_up{false};

decltype(&::WSAStartup) real_startup = nullptr;
int WSAAPI startup(WORD version, WSADATA* data) {
    const int code = real_startup(version, data);
    winsock_is_up = code == 0;
    return code;
}

decltype(&::inet_pton) real_inet_pton = nullptr;
INT WSAAPI inet_pton_strictly(INT family, PCSTR text, PVOID address) {
    if (!winsock_is_up) {
        ::SetLastError(WSANOTINITIALISED);
        return -1;
    }
    return real_inet_pton(family, text, address);
}

// An operation that ends with a failure: the system never hears of it, and a packet of our own tells. The code stands
// where the bytes do.
constinit std::atomic<HANDLE> newest_port{nullptr};
constexpr ULONG_PTR key_of_failures = 0xfa17;

using plain_port = replaced<CreateIoCompletionPort_fails, decltype(::CreateIoCompletionPort)>;
HANDLE WINAPI make_port(HANDLE file, HANDLE existing, ULONG_PTR key, DWORD concurrency) {
    const HANDLE port = plain_port::call(file, existing, key, concurrency);
    if (port != nullptr) {
        newest_port = port;
    }
    return port;
}

bool ends_with_failure(fault what, OVERLAPPED* operation) {
    using post = replaced<PostQueuedCompletionStatus_fails, decltype(::PostQueuedCompletionStatus)>;
    const std::uint32_t code = fault_of(what);
    if (code == none || !post::real(newest_port, code, key_of_failures, operation)) {
        return false;
    }
    ::SetLastError(ERROR_IO_PENDING);
    return true;
}

using plain_receive_from = replaced<WSARecvFrom_fails, decltype(::WSARecvFrom)>;
int WSAAPI receive_from(SOCKET socket, WSABUF* buffers, DWORD count, DWORD* bytes, DWORD* flags, sockaddr* from,
                        INT* from_length, WSAOVERLAPPED* overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine) {
    if (ends_with_failure(WSARecvFrom_ends, overlapped)) {
        return SOCKET_ERROR;
    }
    return plain_receive_from::call(socket, buffers, count, bytes, flags, from, from_length, overlapped, routine);
}

decltype(&::GetQueuedCompletionStatus) real_dequeue = nullptr;
BOOL WINAPI dequeue(HANDLE port, DWORD* bytes, ULONG_PTR* key, OVERLAPPED** overlapped, DWORD limit) {
    if (const std::uint32_t code = fault_of(GetQueuedCompletionStatus_fails); code != none) {
        *overlapped = nullptr; // no packet: the port itself has failed
        ::SetLastError(code);
        return FALSE;
    }
    const BOOL succeeded = real_dequeue(port, bytes, key, overlapped, limit);
    if (succeeded && *key == key_of_failures) {
        ::SetLastError(std::exchange(*bytes, 0));
        *key = 0;
        return FALSE;
    }
    return succeeded;
}

// ::1, which is put in front of what a name has.
constinit sockaddr_in6 own_machine{};
constinit ADDRINFOA in_front{};

decltype(&::getaddrinfo) real_getaddrinfo = nullptr;
INT WSAAPI find_two(PCSTR name, PCSTR service, const ADDRINFOA* hints, ADDRINFOA** found) {
    const INT failed = real_getaddrinfo(name, service, hints, found);
    if (failed == 0 && fault_of(getaddrinfo_finds_two) != none) {
        own_machine.sin6_family = AF_INET6;
        own_machine.sin6_addr.s6_addr[15] = 1;
        own_machine.sin6_port = reinterpret_cast<const sockaddr_in*>((*found)->ai_addr)->sin_port;
        in_front = **found;
        in_front.ai_family = AF_INET6;
        in_front.ai_addr = reinterpret_cast<sockaddr*>(&own_machine);
        in_front.ai_addrlen = sizeof own_machine;
        in_front.ai_next = *found;
        *found = &in_front;
    }
    return failed;
}

decltype(&::freeaddrinfo) real_freeaddrinfo = nullptr;
void WSAAPI free_two(ADDRINFOA* list) {
    real_freeaddrinfo(list == &in_front ? in_front.ai_next : list);
}

// AcceptEx and ConnectEx come from WSAIoctl, which then hands out these.
constinit std::atomic<LPFN_ACCEPTEX> real_acceptex{nullptr};
BOOL PASCAL acceptex(SOCKET listener, SOCKET accepted, void* block, DWORD receive_length, DWORD local_room,
                     DWORD remote_room, DWORD* bytes, OVERLAPPED* overlapped) {
    if (const std::uint32_t code = fault_of(AcceptEx_fails); code != none) {
        ::SetLastError(code);
        return FALSE;
    }
    return real_acceptex.load()(listener, accepted, block, receive_length, local_room, remote_room, bytes, overlapped);
}

constinit std::atomic<LPFN_CONNECTEX> real_connectex{nullptr};
BOOL PASCAL connectex(SOCKET socket, const sockaddr* name, int length, void* first_data, DWORD data_length,
                      DWORD* bytes, OVERLAPPED* overlapped) {
    if (const std::uint32_t code = fault_of(ConnectEx_fails); code != none) {
        ::SetLastError(code);
        return FALSE;
    }
    if (ends_with_failure(ConnectEx_ends, overlapped)) {
        return FALSE;
    }
    return real_connectex.load()(socket, name, length, first_data, data_length, bytes, overlapped);
}

// Puts ours in the place of the function that was asked for, if it was this one.
template <typename Function>
void hand_out(const GUID& asked, const GUID& id, std::atomic<Function>& real, Function ours, void* out) {
    if (std::memcmp(&asked, &id, sizeof id) == 0) {
        Function function = nullptr;
        std::memcpy(&function, out, sizeof function);
        real = function;
        std::memcpy(out, &ours, sizeof ours);
    }
}

decltype(&::WSAIoctl) real_ioctl = nullptr;
int WSAAPI ioctl(SOCKET socket, DWORD code, void* in, DWORD in_size, void* out, DWORD out_size, DWORD* bytes,
                 WSAOVERLAPPED* overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine) {
    if (const std::uint32_t refused = code == SIO_TCP_INITIAL_RTO ? fault_of(SIO_TCP_INITIAL_RTO_fails) : none;
        refused != none) {
        ::SetLastError(refused);
        return SOCKET_ERROR;
    }
    const int result = real_ioctl(socket, code, in, in_size, out, out_size, bytes, overlapped, routine);
    if (GUID asked{}; result == 0 && code == SIO_GET_EXTENSION_FUNCTION_POINTER && in_size == sizeof asked &&
                      out_size == sizeof(LPFN_ACCEPTEX)) {
        std::memcpy(&asked, in, sizeof asked);
        hand_out<LPFN_ACCEPTEX>(asked, WSAID_ACCEPTEX, real_acceptex, acceptex, out);
        hand_out<LPFN_CONNECTEX>(asked, WSAID_CONNECTEX, real_connectex, connectex, out);
    }
    return result;
}

// std::thread. Two C runtimes have it, and the program is linked with one of them.
using begin_thread = std::uintptr_t(__cdecl*)(void*, unsigned, unsigned(__stdcall*)(void*), void*, unsigned, unsigned*);
template <int Runtime>
struct threads {
    static inline begin_thread real = nullptr;
    static std::uintptr_t __cdecl begin(void* security, unsigned stack, unsigned(__stdcall* function)(void*),
                                        void* argument, unsigned flags, unsigned* id) {
        if (fault_of(thread_fails) != none) {
            errno = EAGAIN;
            return 0;
        }
        return real(security, stack, function, argument, flags, id);
    }
};

// --- before anything else --------------------------------------------------------------------------------------------

#if defined(_MSC_VER)
#pragma warning(disable : 4073) // the early place is what is wanted here
#pragma init_seg(lib)
#define FAULTS_EARLY
#else
#define FAULTS_EARLY [[gnu::init_priority(101)]]
#endif

class installed {
public:
    installed() {
        read_rules(names, std::size(names));
#define FAULTS_REPLACE(name, dll, result)                                                                              \
    replace<name##_fails, decltype(::name)>(dll, #name, &replaced<name##_fails, decltype(::name)>::call);              \
    replaced<name##_fails, decltype(::name)>::failure = result;
        FAULTS_FUNCTIONS(FAULTS_REPLACE)
#undef FAULTS_REPLACE
        real_startup = table_.replace(L"ws2_32.dll", "WSAStartup", &startup);
        real_inet_pton = table_.replace(L"ws2_32.dll", "inet_pton", &inet_pton_strictly);
        real_getaddrinfo = table_.replace(L"ws2_32.dll", "getaddrinfo", &find_two);
        real_freeaddrinfo = table_.replace(L"ws2_32.dll", "freeaddrinfo", &free_two);
        real_ioctl = table_.replace(L"ws2_32.dll", "WSAIoctl", &ioctl);
        real_dequeue = table_.replace(L"kernel32.dll", "GetQueuedCompletionStatus", &dequeue);
        threads<0>::real = table_.replace(L"msvcrt.dll", "_beginthreadex", &threads<0>::begin);
        threads<1>::real = table_.replace(L"ucrtbase.dll", "_beginthreadex", &threads<1>::begin);
        const iocp::watch::held_modules loaded;
        table_.patch(loaded, nullptr);
    }

private:
    template <fault What, typename Function>
    void replace(const wchar_t* dll, const char* name, Function* ours) {
        if constexpr (What == accept_fails) {
            ours = &accept_again;
        } else if constexpr (What == WSAEventSelect_fails) {
            ours = &event_select;
        } else if constexpr (What == WSAPoll_fails) {
            ours = &poll_strictly;
        } else if constexpr (What == WSARecvFrom_fails) {
            ours = &receive_from;
        } else if constexpr (What == CreateIoCompletionPort_fails) {
            ours = &make_port;
        } else if constexpr (What == select_fails) {
            ours = &lying_select<Function>::call;
        }
        replaced<What, Function>::real = table_.replace(dll, name, ours);
    }

    iocp::watch::import_table table_;
};

FAULTS_EARLY installed instance;

} // namespace

void* allocate(std::size_t size) {
    if (allocation_fails(new_fails, size)) {
        throw std::bad_alloc();
    }
    void* const memory = std::malloc(size == 0 ? 1 : size);
    if (memory == nullptr) {
        throw std::bad_alloc();
    }
    return memory;
}

void* allocate(std::size_t size, std::align_val_t alignment) {
    if (allocation_fails(new_fails, size)) {
        throw std::bad_alloc();
    }
    void* const memory = ::_aligned_malloc(size == 0 ? 1 : size, static_cast<std::size_t>(alignment));
    if (memory == nullptr) {
        throw std::bad_alloc();
    }
    return memory;
}

} // namespace faults

// The other forms, for arrays and with nothrow, are defined to use these.
void* operator new(std::size_t size) {
    return faults::allocate(size);
}

void* operator new(std::size_t size, std::align_val_t alignment) {
    return faults::allocate(size, alignment);
}

void operator delete(void* memory) noexcept {
    std::free(memory);
}

void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}

void operator delete(void* memory, std::align_val_t) noexcept {
    ::_aligned_free(memory);
}

void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
    ::_aligned_free(memory);
}
