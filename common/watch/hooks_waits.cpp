// Waits for events. A program that was told of an operation's event knows that the
// operation has ended.

#include "common/watch/depth.hpp"
#include "common/watch/hooks.hpp"

namespace iocp::watch {

namespace {

struct {
    decltype(&::WSAWaitForMultipleEvents) WSAWaitForMultipleEvents;
    decltype(&::WaitForSingleObject) WaitForSingleObject;
    decltype(&::WaitForSingleObjectEx) WaitForSingleObjectEx;
    decltype(&::WaitForMultipleObjects) WaitForMultipleObjects;
    decltype(&::WaitForMultipleObjectsEx) WaitForMultipleObjectsEx;
    decltype(&::SignalObjectAndWait) SignalObjectAndWait;
    decltype(&::MsgWaitForMultipleObjects) MsgWaitForMultipleObjects;
    decltype(&::MsgWaitForMultipleObjectsEx) MsgWaitForMultipleObjectsEx;
    decltype(&::RegisterWaitForSingleObject) RegisterWaitForSingleObject;
    decltype(&::SetThreadpoolWait) SetThreadpoolWait;
    // Since Windows 8, as GetProcAddress knows it.
    BOOL(WINAPI* SetThreadpoolWaitEx)(PTP_WAIT, HANDLE, PFILETIME, void*);
} real;

// Which of the events a wait has reported: one, or all.
std::span<const HANDLE> reported(const HANDLE* events, DWORD count, BOOL all,
                                 DWORD result) {
    if (result - WAIT_OBJECT_0 >=
        count) { // a time-out, a routine that was called, a failure
        return {};
    }
    return all ? std::span(events, count) : std::span(events + (result - WAIT_OBJECT_0), 1);
}

// Those that only look wait for nothing.
void before_wait(const HANDLE* events, DWORD count, DWORD milliseconds) {
    const unwatched depth;
    if (depth.is_watched() && milliseconds != 0 && count <= MAXIMUM_WAIT_OBJECTS) {
        hooks().record->waits_for(std::span(events, count));
    }
}

void after_wait(const HANDLE* events, DWORD count, BOOL all, DWORD result) {
    const kept_error error;
    const unwatched depth;
    if (const auto told = reported(events, count, all, result);
        depth.is_watched() && !told.empty()) {
        hooks().record->signalled(told);
    }
}

// [around_wait]
// The watch is awake during the wait itself: completion routines run inside an alertable
// one, and they are the program's.
template <typename Function>
DWORD around_wait(const HANDLE* events, DWORD count, BOOL all, DWORD milliseconds,
                  Function function) {
    before_wait(events, count, milliseconds);
    const DWORD result = function();
    after_wait(events, count, all, result);
    return result;
}
// [/around_wait]

DWORD WSAAPI our_WSAWaitForMultipleEvents(DWORD count, const WSAEVENT* events, BOOL all,
                                          DWORD milliseconds, BOOL alertable) {
    recorder& record = *hooks().record;
    before_wait(events, count, milliseconds);
    const std::uint64_t began = record.now();
    const DWORD result =
        real.WSAWaitForMultipleEvents(count, events, all, milliseconds, alertable);
    {
        const unwatched depth;
        if (depth.is_watched() &&
            milliseconds != 0) { // those that only look are not worth a record each
            const kept_error error;
            const bool failed = result == WSA_WAIT_FAILED;
            const bool timed_out = result == WSA_WAIT_TIMEOUT;
            record.called("WSAWaitForMultipleEvents", began, !failed && !timed_out,
                          failed ? error.value() : (timed_out ? WSA_WAIT_TIMEOUT : 0));
        }
    }
    after_wait(events, count, all, result);
    return result;
}

DWORD WINAPI our_WaitForSingleObject(HANDLE event, DWORD milliseconds) {
    return around_wait(&event, 1, FALSE, milliseconds,
                       [&] { return real.WaitForSingleObject(event, milliseconds); });
}

DWORD WINAPI our_WaitForSingleObjectEx(HANDLE event, DWORD milliseconds, BOOL alertable) {
    return around_wait(&event, 1, FALSE, milliseconds, [&] {
        return real.WaitForSingleObjectEx(event, milliseconds, alertable);
    });
}

DWORD WINAPI our_WaitForMultipleObjects(DWORD count, const HANDLE* events, BOOL all,
                                        DWORD milliseconds) {
    return around_wait(events, count, all, milliseconds, [&] {
        return real.WaitForMultipleObjects(count, events, all, milliseconds);
    });
}

DWORD WINAPI our_WaitForMultipleObjectsEx(DWORD count, const HANDLE* events, BOOL all,
                                          DWORD milliseconds, BOOL alertable) {
    return around_wait(events, count, all, milliseconds, [&] {
        return real.WaitForMultipleObjectsEx(count, events, all, milliseconds, alertable);
    });
}

DWORD WINAPI our_SignalObjectAndWait(HANDLE signal, HANDLE event, DWORD milliseconds,
                                     BOOL alertable) {
    return around_wait(&event, 1, FALSE, milliseconds, [&] {
        return real.SignalObjectAndWait(signal, event, milliseconds, alertable);
    });
}

DWORD WINAPI our_MsgWaitForMultipleObjects(DWORD count, const HANDLE* events, BOOL all,
                                           DWORD milliseconds, DWORD input) {
    return around_wait(events, count, all, milliseconds, [&] {
        return real.MsgWaitForMultipleObjects(count, events, all, milliseconds, input);
    });
}

DWORD WINAPI our_MsgWaitForMultipleObjectsEx(DWORD count, const HANDLE* events,
                                             DWORD milliseconds, DWORD input, DWORD flags) {
    return around_wait(events, count, (flags & MWMO_WAITALL) != 0 ? TRUE : FALSE,
                       milliseconds, [&] {
                           return real.MsgWaitForMultipleObjectsEx(
                               count, events, milliseconds, input, flags);
                       });
}

// Waits of the thread pool. Their ends come to functions of the program, which the watch
// does not see; but the OVERLAPPED says that the operation has ended.
BOOL WINAPI our_RegisterWaitForSingleObject(HANDLE* wait, HANDLE event,
                                            WAITORTIMERCALLBACK function, void* context,
                                            ULONG milliseconds, ULONG flags) {
    before_wait(&event, 1, milliseconds);
    return real.RegisterWaitForSingleObject(wait, event, function, context, milliseconds,
                                            flags);
}

void WINAPI our_SetThreadpoolWait(PTP_WAIT wait, HANDLE event, PFILETIME until) {
    before_wait(&event, event == nullptr ? 0 : 1, INFINITE); // null: it ends waiting
    real.SetThreadpoolWait(wait, event, until);
}

BOOL WINAPI our_SetThreadpoolWaitEx(PTP_WAIT wait, HANDLE event, PFILETIME until,
                                    void* reserved) {
    before_wait(&event, event == nullptr ? 0 : 1, INFINITE);
    return real.SetThreadpoolWaitEx(wait, event, until, reserved);
}

} // namespace

void replace_wait_functions(import_table& table) {
    real.WSAWaitForMultipleEvents = table.replace(L"ws2_32.dll", "WSAWaitForMultipleEvents",
                                                  &our_WSAWaitForMultipleEvents);
    const wchar_t* const kernel = L"kernel32.dll";
    real.WaitForSingleObject =
        table.replace(kernel, "WaitForSingleObject", &our_WaitForSingleObject);
    real.WaitForSingleObjectEx =
        table.replace(kernel, "WaitForSingleObjectEx", &our_WaitForSingleObjectEx);
    real.WaitForMultipleObjects =
        table.replace(kernel, "WaitForMultipleObjects", &our_WaitForMultipleObjects);
    real.WaitForMultipleObjectsEx =
        table.replace(kernel, "WaitForMultipleObjectsEx", &our_WaitForMultipleObjectsEx);
    real.SignalObjectAndWait =
        table.replace(kernel, "SignalObjectAndWait", &our_SignalObjectAndWait);
    real.RegisterWaitForSingleObject = table.replace(kernel, "RegisterWaitForSingleObject",
                                                     &our_RegisterWaitForSingleObject);
    real.SetThreadpoolWait =
        table.replace(kernel, "SetThreadpoolWait", &our_SetThreadpoolWait);
    real.SetThreadpoolWaitEx =
        table.replace(kernel, "SetThreadpoolWaitEx", &our_SetThreadpoolWaitEx);
    replace_message_waits(table);
}

void replace_message_waits(import_table& table) {
    if (real.MsgWaitForMultipleObjects == nullptr) { // not yet, or not loaded then
        const wchar_t* const user = L"user32.dll";
        real.MsgWaitForMultipleObjects = table.replace(user, "MsgWaitForMultipleObjects",
                                                       &our_MsgWaitForMultipleObjects);
        real.MsgWaitForMultipleObjectsEx = table.replace(
            user, "MsgWaitForMultipleObjectsEx", &our_MsgWaitForMultipleObjectsEx);
    }
}

} // namespace iocp::watch
