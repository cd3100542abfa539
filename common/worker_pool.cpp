#include "common/worker_pool.hpp"

#include "common/error.hpp"

namespace iocp {

void worker_pool::start(const unique_handle& port, unsigned count,
                        const std::function<void()>& work) {
    members_.reserve(members_.size() +
                     count); // so that no thread exists that is not in the list
    for (unsigned i = 0; i < count; ++i) {
        members_.push_back({port.get(), std::thread{work}});
    }
}

worker_pool::~worker_pool() {
    for (const member& each : members_) {
        while (!::PostQueuedCompletionStatus(each.port, 0, stop_worker_key, nullptr)) {
            report(::GetLastError(), "PostQueuedCompletionStatus");
            ::Sleep(
                100); // short of memory for a packet; without it a worker would never end
        }
    }
    for (member& each : members_) {
        each.thread.join();
    }
}

} // namespace iocp
