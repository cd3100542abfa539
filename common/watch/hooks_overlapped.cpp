// The calls that send and receive.

#include "common/watch/hooks_submit.hpp"

namespace iocp::watch {

lent_memory lent(const void* address, std::size_t bytes, bool written) {
    return {.address = reinterpret_cast<std::uintptr_t>(address),
            .bytes = bytes,
            .written = written};
}

std::vector<lent_memory> lent(const WSABUF* buffers, DWORD count, bool written) noexcept {
    std::vector<lent_memory> all;
    for (DWORD i = 0; i < count; ++i) {
        add(all, lent(buffers[i].buf, buffers[i].len, written));
    }
    return all;
}

void add(std::vector<lent_memory>& list, const lent_memory& one) noexcept {
    try {
        list.push_back(one);
    } catch (const std::exception&) {
        hooks().record->lost_sight();
    }
}

std::vector<lent_memory> only(const lent_memory& one) noexcept {
    std::vector<lent_memory> list;
    add(list, one);
    return list;
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

namespace {

struct {
    decltype(&::WSARecv) WSARecv;
    decltype(&::WSASend) WSASend;
    decltype(&::WSARecvFrom) WSARecvFrom;
    decltype(&::WSASendTo) WSASendTo;
    decltype(&::ReadFile) ReadFile;
    decltype(&::WriteFile) WriteFile;
} real;

int WSAAPI our_WSARecv(SOCKET handle, WSABUF* buffers, DWORD count, DWORD* bytes,
                       DWORD* flags, OVERLAPPED* overlapped,
                       LPWSAOVERLAPPED_COMPLETION_ROUTINE routine) {
    const unwatched depth;
    if (!depth.is_watched()) {
        return real.WSARecv(handle, buffers, count, bytes, flags, overlapped, routine);
    }
    if (overlapped == nullptr) {
        return block("WSARecv", handle, bytes, [&] {
            return real.WSARecv(handle, buffers, count, bytes, flags, nullptr, routine);
        });
    }
    const bool immediate = submit({.call = "WSARecv",
                                   .handle = handle,
                                   .overlapped = overlapped,
                                   .routine = routine,
                                   .buffers = lent(buffers, count, true)},
                                  bytes, [&](LPWSAOVERLAPPED_COMPLETION_ROUTINE ours) {
                                      return real.WSARecv(handle, buffers, count, bytes,
                                                          flags, overlapped, ours) == 0;
                                  });
    return immediate ? 0 : SOCKET_ERROR;
}

int WSAAPI our_WSASend(SOCKET handle, WSABUF* buffers, DWORD count, DWORD* bytes,
                       DWORD flags, OVERLAPPED* overlapped,
                       LPWSAOVERLAPPED_COMPLETION_ROUTINE routine) {
    const unwatched depth;
    if (!depth.is_watched()) {
        return real.WSASend(handle, buffers, count, bytes, flags, overlapped, routine);
    }
    if (overlapped == nullptr) {
        return block("WSASend", handle, bytes, [&] {
            return real.WSASend(handle, buffers, count, bytes, flags, nullptr, routine);
        });
    }
    const bool immediate = submit({.call = "WSASend",
                                   .handle = handle,
                                   .overlapped = overlapped,
                                   .routine = routine,
                                   .buffers = lent(buffers, count, false)},
                                  bytes, [&](LPWSAOVERLAPPED_COMPLETION_ROUTINE ours) {
                                      return real.WSASend(handle, buffers, count, bytes,
                                                          flags, overlapped, ours) == 0;
                                  });
    return immediate ? 0 : SOCKET_ERROR;
}

int WSAAPI our_WSARecvFrom(SOCKET handle, WSABUF* buffers, DWORD count, DWORD* bytes,
                           DWORD* flags, sockaddr* from, INT* from_length,
                           OVERLAPPED* overlapped,
                           LPWSAOVERLAPPED_COMPLETION_ROUTINE routine) {
    const unwatched depth;
    if (!depth.is_watched()) {
        return real.WSARecvFrom(handle, buffers, count, bytes, flags, from, from_length,
                                overlapped, routine);
    }
    if (overlapped == nullptr) {
        return block("WSARecvFrom", handle, bytes, [&] {
            return real.WSARecvFrom(handle, buffers, count, bytes, flags, from, from_length,
                                    nullptr, routine);
        });
    }
    submission next{.call = "WSARecvFrom",
                    .handle = handle,
                    .overlapped = overlapped,
                    .routine = routine,
                    .buffers = lent(buffers, count, true)};
    // The address and its length are written when the datagram comes.
    if (from != nullptr && from_length != nullptr) {
        lent_memory room = lent(from, static_cast<std::size_t>(*from_length), true);
        room.part = "the room for the sender's address";
        add(next.buffers, room);
        lent_memory length = lent(from_length, sizeof(*from_length), true);
        length.part = "the length of the sender's address";
        add(next.buffers, length);
    }
    const bool immediate =
        submit(std::move(next), bytes, [&](LPWSAOVERLAPPED_COMPLETION_ROUTINE ours) {
            return real.WSARecvFrom(handle, buffers, count, bytes, flags, from, from_length,
                                    overlapped, ours) == 0;
        });
    return immediate ? 0 : SOCKET_ERROR;
}

int WSAAPI our_WSASendTo(SOCKET handle, WSABUF* buffers, DWORD count, DWORD* bytes,
                         DWORD flags, const sockaddr* to, int to_length,
                         OVERLAPPED* overlapped,
                         LPWSAOVERLAPPED_COMPLETION_ROUTINE routine) {
    const unwatched depth;
    if (!depth.is_watched()) {
        return real.WSASendTo(handle, buffers, count, bytes, flags, to, to_length,
                              overlapped, routine);
    }
    if (overlapped == nullptr) {
        return block("WSASendTo", handle, bytes, [&] {
            return real.WSASendTo(handle, buffers, count, bytes, flags, to, to_length,
                                  nullptr, routine);
        });
    }
    const bool immediate =
        submit({.call = "WSASendTo",
                .handle = handle,
                .overlapped = overlapped,
                .routine = routine,
                .buffers = lent(buffers, count, false)},
               bytes, [&](LPWSAOVERLAPPED_COMPLETION_ROUTINE ours) {
                   return real.WSASendTo(handle, buffers, count, bytes, flags, to,
                                         to_length, overlapped, ours) == 0;
               });
    return immediate ? 0 : SOCKET_ERROR;
}

// A socket is a handle, too, and may be read and written like a file. Files and pipes are
// known when they were opened for overlapped operations.
BOOL WINAPI our_ReadFile(HANDLE handle, void* buffer, DWORD length, DWORD* bytes,
                         OVERLAPPED* overlapped) {
    const unwatched depth;
    const SOCKET socket = reinterpret_cast<SOCKET>(handle);
    if (!depth.is_watched() || overlapped == nullptr || !hooks().record->knows(socket)) {
        return real.ReadFile(handle, buffer, length, bytes, overlapped);
    }
    return submit({.call = "ReadFile",
                   .handle = socket,
                   .overlapped = overlapped,
                   .buffers = only(lent(buffer, length, true))},
                  bytes,
                  [&](LPWSAOVERLAPPED_COMPLETION_ROUTINE) {
                      return real.ReadFile(handle, buffer, length, bytes, overlapped) !=
                             FALSE;
                  })
               ? TRUE
               : FALSE;
}

BOOL WINAPI our_WriteFile(HANDLE handle, const void* buffer, DWORD length, DWORD* bytes,
                          OVERLAPPED* overlapped) {
    const unwatched depth;
    const SOCKET socket = reinterpret_cast<SOCKET>(handle);
    if (!depth.is_watched() || overlapped == nullptr || !hooks().record->knows(socket)) {
        return real.WriteFile(handle, buffer, length, bytes, overlapped);
    }
    return submit({.call = "WriteFile",
                   .handle = socket,
                   .overlapped = overlapped,
                   .buffers = only(lent(buffer, length, false))},
                  bytes,
                  [&](LPWSAOVERLAPPED_COMPLETION_ROUTINE) {
                      return real.WriteFile(handle, buffer, length, bytes, overlapped) !=
                             FALSE;
                  })
               ? TRUE
               : FALSE;
}

} // namespace

void replace_overlapped_functions(import_table& table) {
    const wchar_t* const winsock = L"ws2_32.dll";
    real.WSARecv = table.replace(winsock, "WSARecv", &our_WSARecv);
    real.WSASend = table.replace(winsock, "WSASend", &our_WSASend);
    real.WSARecvFrom = table.replace(winsock, "WSARecvFrom", &our_WSARecvFrom);
    real.WSASendTo = table.replace(winsock, "WSASendTo", &our_WSASendTo);
    const wchar_t* const kernel = L"kernel32.dll";
    real.ReadFile = table.replace(kernel, "ReadFile", &our_ReadFile);
    real.WriteFile = table.replace(kernel, "WriteFile", &our_WriteFile);
}

} // namespace iocp::watch
