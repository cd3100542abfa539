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

// The watch is awake during the wait itself: completion routines run inside an alertable
// one, and they are the program's.
void after_wait(const HANDLE* events, DWORD count, BOOL all, DWORD result) {
    const kept_error error;
    const unwatched depth;
    if (const auto told = reported(events, count, all, result);
        depth.outermost() && !told.empty()) {
        hooks().record->signalled(told);
    }
}

DWORD WSAAPI our_WSAWaitForMultipleEvents(DWORD count, const WSAEVENT* events, BOOL all,
                                          DWORD milliseconds, BOOL alertable) {
    recorder& record = *hooks().record;
    const std::uint64_t began = record.now();
    const DWORD result =
        real.WSAWaitForMultipleEvents(count, events, all, milliseconds, alertable);
    {
        const unwatched depth;
        if (depth.outermost() &&
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
    const DWORD result = real.WaitForSingleObject(event, milliseconds);
    after_wait(&event, 1, FALSE, result);
    return result;
}

DWORD WINAPI our_WaitForSingleObjectEx(HANDLE event, DWORD milliseconds, BOOL alertable) {
    const DWORD result = real.WaitForSingleObjectEx(event, milliseconds, alertable);
    after_wait(&event, 1, FALSE, result);
    return result;
}

DWORD WINAPI our_WaitForMultipleObjects(DWORD count, const HANDLE* events, BOOL all,
                                        DWORD milliseconds) {
    const DWORD result = real.WaitForMultipleObjects(count, events, all, milliseconds);
    after_wait(events, count, all, result);
    return result;
}

DWORD WINAPI our_WaitForMultipleObjectsEx(DWORD count, const HANDLE* events, BOOL all,
                                          DWORD milliseconds, BOOL alertable) {
    const DWORD result =
        real.WaitForMultipleObjectsEx(count, events, all, milliseconds, alertable);
    after_wait(events, count, all, result);
    return result;
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
}

} // namespace iocp::watch
