// Rows about the port itself. What closing it does to a worker that waits is shown in tests/common/outcomes.cpp.

#include "row.hpp"

#include "common/error.hpp"
#include "common/port.hpp"

#include <winsock2.h>

#include <windows.h>

#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <set>
#include <thread>
#include <vector>

namespace {

constexpr DWORD deadline_ms = 5000;
constexpr ULONG_PTR stop_key = 0;
constexpr ULONG_PTR work_key = 1;

void post(const iocp::unique_handle& port, ULONG_PTR key) {
    REQUIRE(::PostQueuedCompletionStatus(port.get(), 0, key, nullptr));
}

// Threads that each do the same until the object goes.
class workers {
public:
    template <class Work>
    workers(const iocp::unique_handle& port, std::size_t count, Work work) : port_{port} {
        threads_.reserve(count);
        for (std::size_t which = 0; which < count; ++which) {
            threads_.emplace_back(work, which);
        }
    }
    ~workers() {
        for (std::size_t left = threads_.size(); left > 0; --left) {
            if (!::PostQueuedCompletionStatus(port_.get(), 0, stop_key, nullptr)) {
                iocp::report(::GetLastError(), "PostQueuedCompletionStatus");
            }
        }
        for (std::thread& thread : threads_) {
            thread.join();
        }
    }
    workers(const workers&) = delete;
    workers& operator=(const workers&) = delete;

private:
    const iocp::unique_handle& port_;
    std::vector<std::thread> threads_;
};

// Which of four waiting workers get the packets of a dozen, one at a time. After each the worker is given `settle_ms`
// to be back in its wait: no call tells that a thread has begun to wait.
std::vector<ULONG_PTR> who_is_woken(DWORD settle_ms) {
    const iocp::unique_handle work = iocp::make_port(0);
    const iocp::unique_handle reports = iocp::make_port(0);
    const workers four{work, 4, [&work, &reports](std::size_t which) {
                           while (iocp::dequeue(work, INFINITE).key == work_key) {
                               ::PostQueuedCompletionStatus(reports.get(), 0, which, nullptr);
                           }
                       }};
    std::vector<ULONG_PTR> woken;
    for (int round = 0; round < 12; ++round) {
        ::Sleep(settle_ms);
        post(work, work_key);
        const iocp::packet report = iocp::dequeue(reports, deadline_ms);
        REQUIRE(report.ended.error == ERROR_SUCCESS);
        woken.push_back(report.key);
    }
    return woken;
}

std::string order_of(const std::vector<ULONG_PTR>& woken) {
    const std::size_t different = std::set<ULONG_PTR>(woken.begin(), woken.end()).size();
    if (different == 1) {
        return "last in first out";
    }
    for (std::size_t round = 4; round < woken.size(); ++round) {
        if (woken[round] != woken[round - 4]) {
            return "no order";
        }
    }
    return different == 4 ? "first in first out" : "no order";
}

} // namespace

TEST_CASE("which waiting worker gets the next packet") {
    std::string order;
    for (const DWORD settle_ms : {10, 30, 90}) { // a busy machine may need longer
        order = order_of(who_is_woken(settle_ms));
        if (order != "no order") {
            break;
        }
    }
    probe::compare({"row/which-of-the-waiting-workers-gets-the-next-packet", "waiting workers are woken",
                    "first in first out", "last in first out"},
                   order);
}

TEST_CASE("how many workers run at once on a port with a concurrency value of 1") {
    const iocp::unique_handle port = iocp::make_port(1);
    for (int packet = 0; packet < 4; ++packet) {
        post(port, work_key);
    }
    std::atomic<int> running = 0;
    std::atomic<int> most = 0;
    std::atomic<int> served = 0;
    // Under Wine all four run long before that. On Windows each takes the whole time.
    const ULONGLONG patience_ms = probe::wine() ? 5000 : 200;
    {
        const workers four{port, 4, [&port, &running, &most, &served, patience_ms](std::size_t) {
                               while (iocp::dequeue(port, INFINITE).key == work_key) {
                                   const int now = ++running;
                                   for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
                                   }
                                   // A thread that waits does not count as running. So this one does not wait.
                                   const ULONGLONG end = ::GetTickCount64() + patience_ms;
                                   while (running < 4 && most < 4 && ::GetTickCount64() < end) {
                                   }
                                   --running;
                                   ++served;
                               }
                           }};
    }
    REQUIRE(served == 4);
    probe::compare({"row/a-concurrency-value-of-1", "workers that run at once with a concurrency value of 1", "4", "4"},
                   std::to_string(most));
}

TEST_CASE("the count of GetQueuedCompletionStatusEx when its time is up") {
    const iocp::unique_handle port = iocp::make_port(0);
    OVERLAPPED_ENTRY entries[4]{};
    ULONG removed = 77;
    REQUIRE_FALSE(::GetQueuedCompletionStatusEx(port.get(), entries, 4, &removed, 10, FALSE));
    REQUIRE(::GetLastError() == WAIT_TIMEOUT);
    probe::compare({"probe/count-after-time-out",
                    "entries that GetQueuedCompletionStatusEx says it has removed on time-out", "1", "1"},
                   std::to_string(removed));
}
