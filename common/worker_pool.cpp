#include "common/worker_pool.hpp"

#include "common/error.hpp"

#include <cstdio>
#include <exception>

namespace iocp {

worker_pool::worker_pool(const unique_handle& port, unsigned count,
                         const std::function<void()>& work)
    : port_{port.get()} {
    threads_.reserve(count); // so that no thread exists that is not in the list
    try {
        for (unsigned i = 0; i < count; ++i) {
            threads_.emplace_back(work);
        }
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "std::thread: %s\n", problem.what());
        if (threads_.empty()) {
            throw;
        }
    }
}

worker_pool::~worker_pool() {
    for (std::size_t i = 0; i < threads_.size(); ++i) {
        while (!::PostQueuedCompletionStatus(port_, 0, 0, nullptr)) {
            report(::GetLastError(), "PostQueuedCompletionStatus");
            ::Sleep(100); // no memory for a packet; without it a worker would never end
        }
    }
    for (std::thread& each : threads_) {
        each.join();
    }
}

} // namespace iocp
