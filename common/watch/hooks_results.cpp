// The calls that ask for the result of an operation, or for its end.

#include "common/watch/depth.hpp"
#include "common/watch/hooks.hpp"

namespace iocp::watch {

namespace {

struct {
    decltype(&::WSAGetOverlappedResult) WSAGetOverlappedResult;
    decltype(&::GetOverlappedResult) GetOverlappedResult;
    // Since Windows 8, as GetProcAddress knows it.
    BOOL(WINAPI* GetOverlappedResultEx)(HANDLE, OVERLAPPED*, DWORD*, DWORD, BOOL);
    decltype(&::CancelIoEx) CancelIoEx;
    decltype(&::CancelIo) CancelIo;
} real;

BOOL WSAAPI our_WSAGetOverlappedResult(SOCKET handle, OVERLAPPED* overlapped, DWORD* bytes,
                                       BOOL wait, DWORD* flags) {
    const unwatched depth;
    if (!depth.is_watched()) {
        return real.WSAGetOverlappedResult(handle, overlapped, bytes, wait, flags);
    }
    hooks().record->asks(handle, overlapped, wait != FALSE);
    const BOOL ok = real.WSAGetOverlappedResult(handle, overlapped, bytes, wait, flags);
    const kept_error error;
    hooks().record->answered(handle, overlapped, ok != FALSE, ok ? *bytes : 0,
                             ok ? 0 : error.value());
    return ok;
}

BOOL WINAPI our_GetOverlappedResult(HANDLE handle, OVERLAPPED* overlapped, DWORD* bytes,
                                    BOOL wait) {
    const unwatched depth;
    const SOCKET socket = reinterpret_cast<SOCKET>(handle);
    if (!depth.is_watched() || !hooks().record->knows(socket)) {
        return real.GetOverlappedResult(handle, overlapped, bytes, wait);
    }
    hooks().record->asks(socket, overlapped, wait != FALSE);
    const BOOL ok = real.GetOverlappedResult(handle, overlapped, bytes, wait);
    const kept_error error;
    hooks().record->answered(socket, overlapped, ok != FALSE, ok ? *bytes : 0,
                             ok ? 0 : error.value());
    return ok;
}

// Completion routines run inside an alertable wait. They are the program's, so the watch
// must be awake meanwhile.
BOOL WINAPI our_GetOverlappedResultEx(HANDLE handle, OVERLAPPED* overlapped, DWORD* bytes,
                                      DWORD milliseconds, BOOL alertable) {
    recorder& record = *hooks().record;
    const SOCKET socket = reinterpret_cast<SOCKET>(handle);
    bool followed = false;
    {
        const unwatched depth;
        followed = depth.is_watched() && record.knows(socket);
        if (followed) {
            record.asks(socket, overlapped, milliseconds != 0);
        }
    }
    const BOOL ok =
        real.GetOverlappedResultEx(handle, overlapped, bytes, milliseconds, alertable);
    if (followed) {
        const kept_error error;
        const unwatched depth;
        record.answered(socket, overlapped, ok != FALSE, ok ? *bytes : 0,
                        ok ? 0 : error.value());
    }
    return ok;
}

BOOL WINAPI our_CancelIoEx(HANDLE handle, OVERLAPPED* overlapped) {
    const unwatched depth;
    if (!depth.is_watched()) {
        return real.CancelIoEx(handle, overlapped);
    }
    const SOCKET socket = reinterpret_cast<SOCKET>(handle);
    const asked_to_end asked = hooks().record->asks_to_end(socket, overlapped);
    const BOOL ok = real.CancelIoEx(handle, overlapped);
    const kept_error error;
    if (asked.socket != 0) {
        hooks().record->cancelled("CancelIoEx", socket, asked, ok != FALSE, error.value());
    }
    return ok;
}

BOOL WINAPI our_CancelIo(HANDLE handle) {
    const unwatched depth;
    if (!depth.is_watched()) {
        return real.CancelIo(handle);
    }
    const SOCKET socket = reinterpret_cast<SOCKET>(handle);
    const asked_to_end asked = hooks().record->asks_own_to_end(socket);
    const BOOL ok = real.CancelIo(handle);
    const kept_error error;
    if (asked.socket != 0) {
        hooks().record->cancelled("CancelIo", socket, asked, ok != FALSE, error.value());
    }
    return ok;
}

} // namespace

void replace_result_functions(import_table& table) {
    real.WSAGetOverlappedResult =
        table.replace(L"ws2_32.dll", "WSAGetOverlappedResult", &our_WSAGetOverlappedResult);
    const wchar_t* const kernel = L"kernel32.dll";
    real.GetOverlappedResult =
        table.replace(kernel, "GetOverlappedResult", &our_GetOverlappedResult);
    real.GetOverlappedResultEx =
        table.replace(kernel, "GetOverlappedResultEx", &our_GetOverlappedResultEx);
    real.CancelIoEx = table.replace(kernel, "CancelIoEx", &our_CancelIoEx);
    real.CancelIo = table.replace(kernel, "CancelIo", &our_CancelIo);
}

} // namespace iocp::watch
