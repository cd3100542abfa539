#pragma once
/// \file
/// Threads that work on one port until each has got its packet to stop (chapter 08 shows it raw).

#include "common/unique.hpp"

#include <functional>
#include <thread>
#include <vector>

namespace iocp {

/// The completion key of the packets that stop workers; such a packet has no OVERLAPPED. No handle may be associated
/// with this key.
inline constexpr ULONG_PTR stop_worker_key = 0;

/// Runs the same function on several threads. The destructor posts one stop packet for each and joins them all.
class worker_pool {
public:
    /// \param port  where the stop packets are posted; must outlive the pool
    /// \param count how many threads to start. Fewer do if the system has no more; none is an error.
    /// \param work  takes packets from the port, and returns when it has taken one with stop_worker_key and no
    ///              OVERLAPPED
    /// \throws std::system_error when not even one thread can be started
    worker_pool(const unique_handle& port, unsigned count, const std::function<void()>& work);
    ~worker_pool();
    worker_pool(const worker_pool&) = delete;
    worker_pool& operator=(const worker_pool&) = delete;

private:
    HANDLE port_;
    std::vector<std::thread> threads_;
};

} // namespace iocp
