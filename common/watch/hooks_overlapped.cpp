// The calls that submit overlapped operations, and those that ask for their results or cancel them.

#include "common/watch/depth.hpp"
#include "common/watch/hooks.hpp"

#include <ws2tcpip.h>

#include <mswsock.h>

#include <optional>
#include <utility>

namespace iocp::watch {

namespace {

struct {
    decltype(&::WSARecv) WSARecv;
    decltype(&::WSASend) WSASend;
    decltype(&::WSARecvFrom) WSARecvFrom;
    decltype(&::WSASendTo) WSASendTo;
    decltype(&::WSAIoctl) WSAIoctl;
    decltype(&::WSAGetOverlappedResult) WSAGetOverlappedResult;
    decltype(&::GetOverlappedResult) GetOverlappedResult;
    decltype(&::CancelIoEx) CancelIoEx;
    decltype(&::CancelIo) CancelIo;
    decltype(&::ReadFile) ReadFile;
    decltype(&::WriteFile) WriteFile;
    LPFN_ACCEPTEX AcceptEx;
    LPFN_CONNECTEX ConnectEx;
    LPFN_DISCONNECTEX DisconnectEx;
    LPFN_TRANSMITFILE TransmitFile;
    LPFN_GETACCEPTEXSOCKADDRS GetAcceptExSockaddrs;
} real;

lent_memory lent(const void* address, std::size_t bytes, bool written) {
    return {.address = reinterpret_cast<std::uintptr_t>(address), .bytes = bytes, .written = written};
}

std::vector<lent_memory> lent(const WSABUF* buffers, DWORD count, bool written) {
    std::vector<lent_memory> all;
    for (DWORD i = 0; i < count; ++i) {
        all.push_back(lent(buffers[i].buf, buffers[i].len, written));
    }
    return all;
}

// [our_routine]
// Stands in for every completion routine: when it is entered the memory is back.
void CALLBACK our_routine(DWORD error, DWORD bytes, OVERLAPPED* overlapped, DWORD flags) {
    LPWSAOVERLAPPED_COMPLETION_ROUTINE theirs = nullptr;
    {
        const unwatched depth;
        theirs = hooks().record->entered_routine(overlapped, bytes, error);
    }
    if (theirs != nullptr) {
        theirs(error, bytes, overlapped, flags);
    }
}
// [/our_routine]

// [submit]
// Around a call that submits an operation. `function` makes the real call, with the routine that it is given, and says
// whether it has succeeded at once.
template <typename Function>
bool submit(submission next, const DWORD* bytes, Function function) {
    recorder& record = *hooks().record;
    const LPWSAOVERLAPPED_COMPLETION_ROUTINE theirs = next.routine;
    // Before the real call: another thread may have dequeued the packet before that returns.
    const ticket entered = record.submit(std::move(next));
    const bool tracked = entered.operation != 0;
    const bool immediate = function(theirs != nullptr && tracked ? &our_routine : theirs);
    const kept_error error;
    record.returned(entered, immediate,
                    immediate && bytes != nullptr ? std::optional<std::uint32_t>(*bytes) : std::nullopt,
                    immediate ? 0 : error.value());
    return immediate;
}
// [/submit]

// The same calls without an OVERLAPPED block, as recv and send do.
template <typename Function>
int block(const char* name, SOCKET handle, const DWORD* bytes, Function function) {
    recorder& record = *hooks().record;
    const ticket entered = record.enter(name, handle);
    const int result = function();
    const kept_error error;
    const bool ok = result == 0;
    record.leave(entered, ok, ok && bytes != nullptr ? *bytes : 0, ok ? 0 : error.value());
    return result;
}

int WSAAPI our_WSARecv(SOCKET handle, WSABUF* buffers, DWORD count, DWORD* bytes, DWORD* flags, OVERLAPPED* overlapped,
                       LPWSAOVERLAPPED_COMPLETION_ROUTINE routine) {
    const unwatched depth;
    if (!depth.outermost()) {
        return real.WSARecv(handle, buffers, count, bytes, flags, overlapped, routine);
    }
    if (overlapped == nullptr) {
        return block("WSARecv", handle, bytes,
                     [&] { return real.WSARecv(handle, buffers, count, bytes, flags, nullptr, routine); });
    }
    const bool immediate = submit({.call = "WSARecv",
                                   .handle = handle,
                                   .overlapped = overlapped,
                                   .routine = routine,
                                   .buffers = lent(buffers, count, true)},
                                  bytes, [&](LPWSAOVERLAPPED_COMPLETION_ROUTINE ours) {
                                      return real.WSARecv(handle, buffers, count, bytes, flags, overlapped, ours) == 0;
                                  });
    return immediate ? 0 : SOCKET_ERROR;
}

int WSAAPI our_WSASend(SOCKET handle, WSABUF* buffers, DWORD count, DWORD* bytes, DWORD flags, OVERLAPPED* overlapped,
                       LPWSAOVERLAPPED_COMPLETION_ROUTINE routine) {
    const unwatched depth;
    if (!depth.outermost()) {
        return real.WSASend(handle, buffers, count, bytes, flags, overlapped, routine);
    }
    if (overlapped == nullptr) {
        return block("WSASend", handle, bytes,
                     [&] { return real.WSASend(handle, buffers, count, bytes, flags, nullptr, routine); });
    }
    const bool immediate = submit({.call = "WSASend",
                                   .handle = handle,
                                   .overlapped = overlapped,
                                   .routine = routine,
                                   .buffers = lent(buffers, count, false)},
                                  bytes, [&](LPWSAOVERLAPPED_COMPLETION_ROUTINE ours) {
                                      return real.WSASend(handle, buffers, count, bytes, flags, overlapped, ours) == 0;
                                  });
    return immediate ? 0 : SOCKET_ERROR;
}

int WSAAPI our_WSARecvFrom(SOCKET handle, WSABUF* buffers, DWORD count, DWORD* bytes, DWORD* flags, sockaddr* from,
                           INT* from_length, OVERLAPPED* overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine) {
    const unwatched depth;
    if (!depth.outermost()) {
        return real.WSARecvFrom(handle, buffers, count, bytes, flags, from, from_length, overlapped, routine);
    }
    if (overlapped == nullptr) {
        return block("WSARecvFrom", handle, bytes, [&] {
            return real.WSARecvFrom(handle, buffers, count, bytes, flags, from, from_length, nullptr, routine);
        });
    }
    submission next{.call = "WSARecvFrom",
                    .handle = handle,
                    .overlapped = overlapped,
                    .routine = routine,
                    .buffers = lent(buffers, count, true)};
    // The address and its length are written when the datagram comes.
    if (from != nullptr && from_length != nullptr) {
        next.buffers.push_back(lent(from, static_cast<std::size_t>(*from_length), true));
        next.buffers.push_back(lent(from_length, sizeof(*from_length), true));
    }
    const bool immediate = submit(std::move(next), bytes, [&](LPWSAOVERLAPPED_COMPLETION_ROUTINE ours) {
        return real.WSARecvFrom(handle, buffers, count, bytes, flags, from, from_length, overlapped, ours) == 0;
    });
    return immediate ? 0 : SOCKET_ERROR;
}

int WSAAPI our_WSASendTo(SOCKET handle, WSABUF* buffers, DWORD count, DWORD* bytes, DWORD flags, const sockaddr* to,
                         int to_length, OVERLAPPED* overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine) {
    const unwatched depth;
    if (!depth.outermost()) {
        return real.WSASendTo(handle, buffers, count, bytes, flags, to, to_length, overlapped, routine);
    }
    if (overlapped == nullptr) {
        return block("WSASendTo", handle, bytes, [&] {
            return real.WSASendTo(handle, buffers, count, bytes, flags, to, to_length, nullptr, routine);
        });
    }
    const bool immediate =
        submit({.call = "WSASendTo",
                .handle = handle,
                .overlapped = overlapped,
                .routine = routine,
                .buffers = lent(buffers, count, false)},
               bytes, [&](LPWSAOVERLAPPED_COMPLETION_ROUTINE ours) {
                   return real.WSASendTo(handle, buffers, count, bytes, flags, to, to_length, overlapped, ours) == 0;
               });
    return immediate ? 0 : SOCKET_ERROR;
}

// The watch's own import of Winsock, unwatched as everything here. It also brings Winsock into a program that will load
// it later, as those of Go do: what is not there when the watch begins is not replaced.
int family_of(SOCKET listener) {
    sockaddr_storage address{};
    int length = sizeof(address);
    const kept_error error;
    return ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) == 0 ? address.ss_family : AF_UNSPEC;
}

BOOL PASCAL our_AcceptEx(SOCKET listener, SOCKET accepted, void* output, DWORD receive, DWORD local, DWORD remote,
                         DWORD* bytes, OVERLAPPED* overlapped) {
    const unwatched depth;
    if (!depth.outermost() || overlapped == nullptr) {
        return real.AcceptEx(listener, accepted, output, receive, local, remote, bytes, overlapped);
    }
    return submit({.call = "AcceptEx",
                   .handle = listener,
                   .accept_handle = accepted,
                   .overlapped = overlapped,
                   .buffers = {lent(output, std::size_t{receive} + local + remote, true)},
                   .local_address_bytes = local,
                   .remote_address_bytes = remote,
                   .family = family_of(listener)},
                  bytes,
                  [&](LPWSAOVERLAPPED_COMPLETION_ROUTINE) {
                      return real.AcceptEx(listener, accepted, output, receive, local, remote, bytes, overlapped) !=
                             FALSE;
                  })
               ? TRUE
               : FALSE;
}

BOOL PASCAL our_ConnectEx(SOCKET handle, const sockaddr* address, int length, void* data, DWORD data_length,
                          DWORD* bytes, OVERLAPPED* overlapped) {
    const unwatched depth;
    if (!depth.outermost() || overlapped == nullptr) {
        return real.ConnectEx(handle, address, length, data, data_length, bytes, overlapped);
    }
    submission next{.call = "ConnectEx", .handle = handle, .overlapped = overlapped};
    if (data != nullptr) {
        next.buffers.push_back(lent(data, data_length, false));
    }
    return submit(std::move(next), bytes,
                  [&](LPWSAOVERLAPPED_COMPLETION_ROUTINE) {
                      return real.ConnectEx(handle, address, length, data, data_length, bytes, overlapped) != FALSE;
                  })
               ? TRUE
               : FALSE;
}

BOOL PASCAL our_DisconnectEx(SOCKET handle, OVERLAPPED* overlapped, DWORD flags, DWORD reserved) {
    const unwatched depth;
    if (!depth.outermost() || overlapped == nullptr) {
        return real.DisconnectEx(handle, overlapped, flags, reserved);
    }
    return submit({.call = "DisconnectEx", .handle = handle, .overlapped = overlapped}, nullptr,
                  [&](LPWSAOVERLAPPED_COMPLETION_ROUTINE) {
                      return real.DisconnectEx(handle, overlapped, flags, reserved) != FALSE;
                  })
               ? TRUE
               : FALSE;
}

BOOL PASCAL our_TransmitFile(SOCKET handle, HANDLE file, DWORD bytes, DWORD bytes_per_send, OVERLAPPED* overlapped,
                             TRANSMIT_FILE_BUFFERS* around, DWORD flags) {
    const unwatched depth;
    if (!depth.outermost() || overlapped == nullptr) {
        return real.TransmitFile(handle, file, bytes, bytes_per_send, overlapped, around, flags);
    }
    submission next{.call = "TransmitFile", .handle = handle, .overlapped = overlapped};
    if (around != nullptr) {
        next.buffers.push_back(lent(around, sizeof(*around), false));
        next.buffers.push_back(lent(around->Head, around->HeadLength, false));
        next.buffers.push_back(lent(around->Tail, around->TailLength, false));
    }
    return submit(std::move(next), nullptr,
                  [&](LPWSAOVERLAPPED_COMPLETION_ROUTINE) {
                      return real.TransmitFile(handle, file, bytes, bytes_per_send, overlapped, around, flags) != FALSE;
                  })
               ? TRUE
               : FALSE;
}

void PASCAL our_GetAcceptExSockaddrs(void* output, DWORD receive, DWORD local, DWORD remote, sockaddr** local_address,
                                     int* local_length, sockaddr** remote_address, int* remote_length) {
    const unwatched depth;
    const std::uint64_t began = hooks().record->now();
    real.GetAcceptExSockaddrs(output, receive, local, remote, local_address, local_length, remote_address,
                              remote_length);
    if (depth.outermost()) {
        hooks().record->called("GetAcceptExSockaddrs", began, true, 0);
    }
}

// A socket is a handle, too, and may be read and written like a file.
BOOL WINAPI our_ReadFile(HANDLE handle, void* buffer, DWORD length, DWORD* bytes, OVERLAPPED* overlapped) {
    const unwatched depth;
    const SOCKET socket = reinterpret_cast<SOCKET>(handle);
    if (!depth.outermost() || overlapped == nullptr || !hooks().record->knows(socket)) {
        return real.ReadFile(handle, buffer, length, bytes, overlapped);
    }
    return submit({.call = "ReadFile",
                   .handle = socket,
                   .overlapped = overlapped,
                   .buffers = {lent(buffer, length, true)}},
                  bytes,
                  [&](LPWSAOVERLAPPED_COMPLETION_ROUTINE) {
                      return real.ReadFile(handle, buffer, length, bytes, overlapped) != FALSE;
                  })
               ? TRUE
               : FALSE;
}

BOOL WINAPI our_WriteFile(HANDLE handle, const void* buffer, DWORD length, DWORD* bytes, OVERLAPPED* overlapped) {
    const unwatched depth;
    const SOCKET socket = reinterpret_cast<SOCKET>(handle);
    if (!depth.outermost() || overlapped == nullptr || !hooks().record->knows(socket)) {
        return real.WriteFile(handle, buffer, length, bytes, overlapped);
    }
    return submit({.call = "WriteFile",
                   .handle = socket,
                   .overlapped = overlapped,
                   .buffers = {lent(buffer, length, false)}},
                  bytes,
                  [&](LPWSAOVERLAPPED_COMPLETION_ROUTINE) {
                      return real.WriteFile(handle, buffer, length, bytes, overlapped) != FALSE;
                  })
               ? TRUE
               : FALSE;
}

// [hand_out_ours]
// Puts ours into the place where WSAIoctl has written an extension function. Another provider of sockets may have
// functions of its own: only the first one's are watched.
template <typename Function>
void hand_out_ours(void* place, Function& original, Function ours) {
    Function& handed_out = *static_cast<Function*>(place);
    if (original == nullptr) {
        original = handed_out;
        hand_out(reinterpret_cast<void*>(original), reinterpret_cast<void*>(ours));
    }
    if (handed_out == original) {
        handed_out = ours;
    }
}
// [/hand_out_ours]

void look_at_extension(const GUID& wanted, void* place) {
    // mswsock.h has the GUIDs as initialisers.
    static const GUID accept = WSAID_ACCEPTEX;
    static const GUID connect = WSAID_CONNECTEX;
    static const GUID disconnect = WSAID_DISCONNECTEX;
    static const GUID transmit = WSAID_TRANSMITFILE;
    static const GUID addresses = WSAID_GETACCEPTEXSOCKADDRS;
    if (::IsEqualGUID(wanted, accept)) {
        hand_out_ours<LPFN_ACCEPTEX>(place, real.AcceptEx, &our_AcceptEx);
    } else if (::IsEqualGUID(wanted, connect)) {
        hand_out_ours<LPFN_CONNECTEX>(place, real.ConnectEx, &our_ConnectEx);
    } else if (::IsEqualGUID(wanted, disconnect)) {
        hand_out_ours<LPFN_DISCONNECTEX>(place, real.DisconnectEx, &our_DisconnectEx);
    } else if (::IsEqualGUID(wanted, transmit)) {
        hand_out_ours<LPFN_TRANSMITFILE>(place, real.TransmitFile, &our_TransmitFile);
    } else if (::IsEqualGUID(wanted, addresses)) {
        hand_out_ours<LPFN_GETACCEPTEXSOCKADDRS>(place, real.GetAcceptExSockaddrs, &our_GetAcceptExSockaddrs);
    }
}

int WSAAPI our_WSAIoctl(SOCKET handle, DWORD code, void* in, DWORD in_length, void* out, DWORD out_length, DWORD* bytes,
                        OVERLAPPED* overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine) {
    const unwatched depth;
    if (!depth.outermost()) {
        return real.WSAIoctl(handle, code, in, in_length, out, out_length, bytes, overlapped, routine);
    }
    if (overlapped != nullptr) {
        submission next{.call = "WSAIoctl", .handle = handle, .overlapped = overlapped, .routine = routine};
        if (in != nullptr) {
            next.buffers.push_back(lent(in, in_length, false));
        }
        if (out != nullptr) {
            next.buffers.push_back(lent(out, out_length, true));
        }
        const bool immediate = submit(std::move(next), bytes, [&](LPWSAOVERLAPPED_COMPLETION_ROUTINE ours) {
            return real.WSAIoctl(handle, code, in, in_length, out, out_length, bytes, overlapped, ours) == 0;
        });
        return immediate ? 0 : SOCKET_ERROR;
    }
    const int result = block("WSAIoctl", handle, bytes, [&] {
        return real.WSAIoctl(handle, code, in, in_length, out, out_length, bytes, nullptr, routine);
    });
    if (result == 0 && code == SIO_GET_EXTENSION_FUNCTION_POINTER && in != nullptr && in_length >= sizeof(GUID) &&
        out != nullptr && out_length >= sizeof(void*)) {
        const kept_error error;
        look_at_extension(*static_cast<const GUID*>(in), out);
    }
    return result;
}

BOOL WSAAPI our_WSAGetOverlappedResult(SOCKET handle, OVERLAPPED* overlapped, DWORD* bytes, BOOL wait, DWORD* flags) {
    const unwatched depth;
    if (!depth.outermost()) {
        return real.WSAGetOverlappedResult(handle, overlapped, bytes, wait, flags);
    }
    hooks().record->asks(handle, overlapped, wait != FALSE);
    const BOOL ok = real.WSAGetOverlappedResult(handle, overlapped, bytes, wait, flags);
    const kept_error error;
    hooks().record->answered(handle, overlapped, ok != FALSE, ok ? *bytes : 0, ok ? 0 : error.value());
    return ok;
}

BOOL WINAPI our_GetOverlappedResult(HANDLE handle, OVERLAPPED* overlapped, DWORD* bytes, BOOL wait) {
    const unwatched depth;
    const SOCKET socket = reinterpret_cast<SOCKET>(handle);
    if (!depth.outermost() || !hooks().record->knows(socket)) {
        return real.GetOverlappedResult(handle, overlapped, bytes, wait);
    }
    hooks().record->asks(socket, overlapped, wait != FALSE);
    const BOOL ok = real.GetOverlappedResult(handle, overlapped, bytes, wait);
    const kept_error error;
    hooks().record->answered(socket, overlapped, ok != FALSE, ok ? *bytes : 0, ok ? 0 : error.value());
    return ok;
}

BOOL WINAPI our_CancelIoEx(HANDLE handle, OVERLAPPED* overlapped) {
    const unwatched depth;
    const SOCKET socket = reinterpret_cast<SOCKET>(handle);
    if (!depth.outermost() || !hooks().record->knows(socket)) {
        return real.CancelIoEx(handle, overlapped);
    }
    const BOOL ok = real.CancelIoEx(handle, overlapped);
    const kept_error error;
    hooks().record->cancelled("CancelIoEx", socket, overlapped, ok != FALSE, error.value());
    return ok;
}

BOOL WINAPI our_CancelIo(HANDLE handle) {
    const unwatched depth;
    const BOOL ok = real.CancelIo(handle);
    if (depth.outermost()) {
        const kept_error error;
        hooks().record->cancelled("CancelIo", reinterpret_cast<SOCKET>(handle), nullptr, ok != FALSE, error.value());
    }
    return ok;
}

} // namespace

void replace_overlapped_functions(import_table& table) {
    const wchar_t* const winsock = L"ws2_32.dll";
    real.WSARecv = table.replace(winsock, "WSARecv", &our_WSARecv);
    real.WSASend = table.replace(winsock, "WSASend", &our_WSASend);
    real.WSARecvFrom = table.replace(winsock, "WSARecvFrom", &our_WSARecvFrom);
    real.WSASendTo = table.replace(winsock, "WSASendTo", &our_WSASendTo);
    real.WSAIoctl = table.replace(winsock, "WSAIoctl", &our_WSAIoctl);
    real.WSAGetOverlappedResult = table.replace(winsock, "WSAGetOverlappedResult", &our_WSAGetOverlappedResult);
    const wchar_t* const kernel = L"kernel32.dll";
    real.GetOverlappedResult = table.replace(kernel, "GetOverlappedResult", &our_GetOverlappedResult);
    real.CancelIoEx = table.replace(kernel, "CancelIoEx", &our_CancelIoEx);
    real.CancelIo = table.replace(kernel, "CancelIo", &our_CancelIo);
    real.ReadFile = table.replace(kernel, "ReadFile", &our_ReadFile);
    real.WriteFile = table.replace(kernel, "WriteFile", &our_WriteFile);
    replace_extension_functions(table);
}

// Some programs import these from where they are, and do not ask WSAIoctl for them.
void replace_extension_functions(import_table& table) {
    const wchar_t* const dll = L"mswsock.dll";
    if (real.AcceptEx == nullptr) {
        real.AcceptEx = table.replace(dll, "AcceptEx", &our_AcceptEx);
        real.GetAcceptExSockaddrs = table.replace(dll, "GetAcceptExSockaddrs", &our_GetAcceptExSockaddrs);
        real.TransmitFile = table.replace(dll, "TransmitFile", &our_TransmitFile);
    }
}

} // namespace iocp::watch
