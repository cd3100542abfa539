// feed MODE: takes records made by hand to the outputs, which are set by IOCP_WATCH as in a program that is watched.
// For tests/watch/outputs/check_traces.
//
//   whole    from the start to the end
//   crash    ends in the middle, with operations in flight, without a word to the outputs
//   killed   the same, but is told of it when its other threads are gone, as a DLL is

#include "common/watch/outputs.hpp"
#include "tests/watch/outputs/story.hpp"

#include <winsock2.h>

#include <windows.h>

#include <tlhelp32.h>

#include <chrono>
#include <cstdio>
#include <string_view>

namespace {

void end_other_threads() {
    const HANDLE all = ::CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
    THREADENTRY32 entry{};
    entry.dwSize = sizeof entry;
    for (BOOL more = ::Thread32First(all, &entry); more; more = ::Thread32Next(all, &entry)) {
        if (entry.th32OwnerProcessID != ::GetCurrentProcessId() || entry.th32ThreadID == ::GetCurrentThreadId()) {
            continue;
        }
        if (const HANDLE thread = ::OpenThread(THREAD_TERMINATE | SYNCHRONIZE, FALSE, entry.th32ThreadID)) {
            ::TerminateThread(thread, 0);
            ::WaitForSingleObject(thread, INFINITE);
            ::CloseHandle(thread);
        }
    }
    ::CloseHandle(all);
}

} // namespace

int main(int argc, char** argv) {
    const std::string_view mode = argc == 2 ? argv[1] : "";
    if (mode != "whole" && mode != "crash" && mode != "killed") {
        std::fputs("feed whole|crash|killed\n", stderr);
        return 2;
    }
    iocp::watch::outputs out{iocp::watch::settings::from_environment()};
    for (const iocp::watch::record& one : story::whole()) {
        if (mode != "whole" && one.kind == iocp::watch::record_kind::cancel) {
            break;
        }
        out.take(one);
    }
    iocp::watch::finding found{.what = &iocp::watch::checks::send_buffer_changed, .thread = 1, .text = "made by hand"};
    found.here[0] = reinterpret_cast<void*>(&::GetCurrentProcessId);
    if (mode == "killed") {
        out.flush(std::chrono::seconds{20});
        end_other_threads();
        out.take(found); // nobody is left to write it but finish()
        out.finish(false);
    } else if (mode == "crash") {
        out.flush(std::chrono::seconds{20});
        ::TerminateProcess(::GetCurrentProcess(), 9);
    }
    return 0;
}
