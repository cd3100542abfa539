// Chapter 00: a completion port is a queue of packets that threads wait for. No socket yet:
// the packets here are posted by hand.

#include <windows.h>

#include <cstdio>
#include <cstdlib>
#include <thread>

namespace {

void fail(const char* call) {
    std::fprintf(stderr, "%s: %lu\n", call, ::GetLastError());
    std::exit(1);
}

constexpr ULONG_PTR work_key = 1, end_key = 0; // what each packet is for: our own choice

// [worker]
void take_packets(HANDLE port, int worker) {
    for (;;) {
        DWORD number = 0;
        ULONG_PTR key = 0;
        OVERLAPPED* overlapped = nullptr; // stays null: nobody has lent anything
        if (!::GetQueuedCompletionStatus(port, &number, &key, &overlapped, INFINITE)) {
            fail("GetQueuedCompletionStatus");
        }
        if (key == end_key) {
            std::printf("worker %d takes an end\n", worker);
            return;
        }
        std::printf("worker %d takes packet %lu\n", worker, number);
    }
}
// [/worker]

// [post]
void post(HANDLE port, DWORD number, ULONG_PTR key) {
    if (!::PostQueuedCompletionStatus(port, number, key, nullptr)) {
        fail("PostQueuedCompletionStatus");
    }
}
// [/post]

} // namespace

// [main]
int main() {
    const HANDLE port = ::CreateIoCompletionPort(INVALID_HANDLE_VALUE, nullptr, 0, 2);
    if (port == nullptr) {
        fail("CreateIoCompletionPort");
    }
    for (DWORD number = 1; number <= 6; ++number) {
        post(port, number, work_key); // nobody waits yet: the packets do
    }
    std::thread first{take_packets, port, 1};
    std::thread second{take_packets, port, 2};
    post(port, 0, end_key); // one for each worker, and each takes one only
    post(port, 0, end_key);
    first.join();
    second.join();
    if (!::CloseHandle(port)) {
        fail("CloseHandle");
    }
}
// [/main]
