// The system's thread pool, as far as it tells the ends of operations.

#include "common/watch/depth.hpp"
#include "common/watch/hooks.hpp"

namespace iocp::watch {

namespace {

struct {
    decltype(&::CreateThreadpoolIo) CreateThreadpoolIo;
    decltype(&::StartThreadpoolIo) StartThreadpoolIo;
    decltype(&::CancelThreadpoolIo) CancelThreadpoolIo;
    decltype(&::WaitForThreadpoolIoCallbacks) WaitForThreadpoolIoCallbacks;
    decltype(&::CloseThreadpoolIo) CloseThreadpoolIo;
    decltype(&::BindIoCompletionCallback) BindIoCompletionCallback;
} real;

// [our_callback]
// Stands in for every callback of a socket that is tied to the pool: when it is entered the
// memory is back. The program's own is known by `io`, and gets the context that it wants.
void CALLBACK our_callback(PTP_CALLBACK_INSTANCE instance, void* context, void* overlapped,
                           ULONG error, ULONG_PTR bytes, PTP_IO io) {
    recorder& record = *hooks().record;
    PTP_WIN32_IO_CALLBACK theirs = nullptr;
    {
        const unwatched depth;
        theirs = record.entered_callback(io, static_cast<OVERLAPPED*>(overlapped),
                                         static_cast<std::uint32_t>(bytes), error);
    }
    if (theirs != nullptr) {
        theirs(instance, context, overlapped, error, bytes, io);
    }
    const unwatched depth;
    record.left_callback(io); // it may be gone, and is only a number here
}
// [/our_callback]

PTP_IO WINAPI our_CreateThreadpoolIo(HANDLE file, PTP_WIN32_IO_CALLBACK callback,
                                     void* context, PTP_CALLBACK_ENVIRON environment) {
    const unwatched depth;
    recorder& record = *hooks().record;
    const SOCKET socket = reinterpret_cast<SOCKET>(file);
    // Whoever gets our callback has to find theirs later on, so the memory for that comes
    // first.
    const bool followed =
        depth.is_watched() && record.knows(socket) && record.has_room_for_pool_io();
    const PTP_IO made = real.CreateThreadpoolIo(file, followed ? our_callback : callback,
                                                context, environment);
    if (made != nullptr && depth.is_watched()) {
        const kept_error error;
        if (followed) {
            record.ties_to_pool(made, socket, callback);
        } else {
            record.ties_something_else(made);
        }
    }
    return made;
}

// Before the real call: another thread may be in the callback before that returns.
void WINAPI our_StartThreadpoolIo(PTP_IO io) {
    const unwatched depth;
    if (depth.is_watched()) {
        const kept_error error;
        hooks().record->announces(io);
    }
    real.StartThreadpoolIo(io);
}

void WINAPI our_CancelThreadpoolIo(PTP_IO io) {
    const unwatched depth;
    if (depth.is_watched()) {
        const kept_error error;
        hooks().record->takes_announcement_back(io);
    }
    real.CancelThreadpoolIo(io);
}

// The watch is awake during the wait itself, as with others.
void WINAPI our_WaitForThreadpoolIoCallbacks(PTP_IO io, BOOL drop) {
    recorder& record = *hooks().record;
    bool outermost = false;
    const std::uint64_t began = record.now();
    {
        const unwatched depth;
        outermost = depth.is_watched();
        if (outermost) {
            const kept_error error;
            record.waits_for_callbacks(io, drop != FALSE);
        }
    }
    real.WaitForThreadpoolIoCallbacks(io, drop);
    if (outermost) {
        const kept_error error;
        const unwatched depth;
        record.waited_for_callbacks(io, drop != FALSE, began);
    }
}

void WINAPI our_CloseThreadpoolIo(PTP_IO io) {
    const unwatched depth;
    if (depth.is_watched()) {
        const kept_error error;
        hooks().record->closes_pool_io(io);
    }
    real.CloseThreadpoolIo(io);
}

// Its callbacks have no context and no object that they could be known by.
BOOL WINAPI our_BindIoCompletionCallback(HANDLE file,
                                         LPOVERLAPPED_COMPLETION_ROUTINE routine,
                                         ULONG flags) {
    const unwatched depth;
    const BOOL ok = real.BindIoCompletionCallback(file, routine, flags);
    if (ok && depth.is_watched()) {
        const kept_error error;
        hooks().record->loses_sight(file, "BindIoCompletionCallback");
    }
    return ok;
}

} // namespace

void replace_pool_functions(import_table& table) {
    const wchar_t* const dll = L"kernel32.dll";
    real.CreateThreadpoolIo =
        table.replace(dll, "CreateThreadpoolIo", &our_CreateThreadpoolIo);
    real.StartThreadpoolIo =
        table.replace(dll, "StartThreadpoolIo", &our_StartThreadpoolIo);
    real.CancelThreadpoolIo =
        table.replace(dll, "CancelThreadpoolIo", &our_CancelThreadpoolIo);
    real.WaitForThreadpoolIoCallbacks = table.replace(dll, "WaitForThreadpoolIoCallbacks",
                                                      &our_WaitForThreadpoolIoCallbacks);
    real.CloseThreadpoolIo =
        table.replace(dll, "CloseThreadpoolIo", &our_CloseThreadpoolIo);
    real.BindIoCompletionCallback =
        table.replace(dll, "BindIoCompletionCallback", &our_BindIoCompletionCallback);
}

} // namespace iocp::watch
