// Completion ports, and the handles that are closed.

#include "common/watch/depth.hpp"
#include "common/watch/hooks.hpp"

namespace iocp::watch {

namespace {

struct {
    decltype(&::CreateIoCompletionPort) CreateIoCompletionPort;
    decltype(&::GetQueuedCompletionStatus) GetQueuedCompletionStatus;
    decltype(&::GetQueuedCompletionStatusEx) GetQueuedCompletionStatusEx;
    decltype(&::PostQueuedCompletionStatus) PostQueuedCompletionStatus;
    decltype(&::SetFileCompletionNotificationModes) SetFileCompletionNotificationModes;
    decltype(&::CloseHandle) CloseHandle;
} real;

HANDLE WINAPI our_CreateIoCompletionPort(HANDLE file, HANDLE port, ULONG_PTR key,
                                         DWORD concurrency) {
    const unwatched depth;
    const HANDLE result = real.CreateIoCompletionPort(file, port, key, concurrency);
    if (depth.is_watched() && result != nullptr) {
        const kept_error error;
        if (port == nullptr) {
            hooks().record->made_port(result);
        }
        if (file != INVALID_HANDLE_VALUE) {
            hooks().record->associated(file, result, key);
        }
    }
    return result;
}

// [our_GetQueuedCompletionStatus]
BOOL WINAPI our_GetQueuedCompletionStatus(HANDLE port, DWORD* bytes, ULONG_PTR* key,
                                          OVERLAPPED** overlapped, DWORD milliseconds) {
    const unwatched depth;
    if (!depth.is_watched()) {
        return real.GetQueuedCompletionStatus(port, bytes, key, overlapped, milliseconds);
    }
    recorder& record = *hooks().record;
    record.waits(port);
    const BOOL ok =
        real.GetQueuedCompletionStatus(port, bytes, key, overlapped, milliseconds);
    const kept_error error;
    const bool packet = ok || *overlapped != nullptr;
    record.wait_ended(port, packet ? 0 : error.value(), milliseconds != 0);
    if (packet) {
        record.dequeued(port, *key, *overlapped, *bytes, ok ? 0 : error.value());
    }
    return ok;
}
// [/our_GetQueuedCompletionStatus]

BOOL WINAPI our_GetQueuedCompletionStatusEx(HANDLE port, OVERLAPPED_ENTRY* entries,
                                            ULONG room, ULONG* count, DWORD milliseconds,
                                            BOOL alertable) {
    recorder& record = *hooks().record;
    bool outermost = false;
    {
        const unwatched depth;
        outermost = depth.is_watched();
        if (outermost) {
            record.waits(port);
        }
    }
    // Completion routines run inside an alertable wait. They are the program's, so the
    // watch must be awake meanwhile.
    const BOOL ok = real.GetQueuedCompletionStatusEx(port, entries, room, count,
                                                     milliseconds, alertable);
    const unwatched depth;
    if (outermost) {
        const kept_error error;
        record.wait_ended(port, ok ? 0 : error.value(), milliseconds != 0);
        // After FALSE the count says nothing.
        for (ULONG i = 0; ok && i < *count; ++i) {
            record.dequeued(port, entries[i].lpCompletionKey, entries[i].lpOverlapped,
                            entries[i].dwNumberOfBytesTransferred, std::nullopt);
        }
    }
    return ok;
}

BOOL WINAPI our_PostQueuedCompletionStatus(HANDLE port, DWORD bytes, ULONG_PTR key,
                                           OVERLAPPED* overlapped) {
    const unwatched depth;
    if (!depth.is_watched()) {
        return real.PostQueuedCompletionStatus(port, bytes, key, overlapped);
    }
    hooks().record->post(port, bytes, key, overlapped);
    const BOOL ok = real.PostQueuedCompletionStatus(port, bytes, key, overlapped);
    const kept_error error;
    if (!ok) {
        hooks().record->unpost(port, bytes, key, overlapped);
    }
    return ok;
}

BOOL WINAPI our_SetFileCompletionNotificationModes(HANDLE file, UCHAR modes) {
    const unwatched depth;
    const BOOL ok = real.SetFileCompletionNotificationModes(file, modes);
    if (depth.is_watched() && ok && (modes & FILE_SKIP_COMPLETION_PORT_ON_SUCCESS) != 0) {
        const kept_error error;
        hooks().record->skips_packets(file);
    }
    return ok;
}

BOOL WINAPI our_CloseHandle(HANDLE handle) {
    const unwatched depth;
    if (depth.is_watched()) {
        recorder& record = *hooks().record;
        const SOCKET socket = reinterpret_cast<SOCKET>(handle);
        if (record.knows(socket)) {
            const socket_info closed = record.closing("CloseHandle", socket);
            const BOOL ok = real.CloseHandle(handle);
            const kept_error error;
            if (!ok) {
                record.put_back(closed);
            }
            return ok;
        }
        record.closing_port(handle);
        record.closing_event(handle);
    }
    return real.CloseHandle(handle);
}

} // namespace

void replace_port_functions(import_table& table) {
    const wchar_t* const dll = L"kernel32.dll";
    real.CreateIoCompletionPort =
        table.replace(dll, "CreateIoCompletionPort", &our_CreateIoCompletionPort);
    real.GetQueuedCompletionStatus =
        table.replace(dll, "GetQueuedCompletionStatus", &our_GetQueuedCompletionStatus);
    real.GetQueuedCompletionStatusEx =
        table.replace(dll, "GetQueuedCompletionStatusEx", &our_GetQueuedCompletionStatusEx);
    real.PostQueuedCompletionStatus =
        table.replace(dll, "PostQueuedCompletionStatus", &our_PostQueuedCompletionStatus);
    real.SetFileCompletionNotificationModes = table.replace(
        dll, "SetFileCompletionNotificationModes", &our_SetFileCompletionNotificationModes);
    real.CloseHandle = table.replace(dll, "CloseHandle", &our_CloseHandle);
}

} // namespace iocp::watch
