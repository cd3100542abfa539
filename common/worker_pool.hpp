#pragma once
/// \file
/// Threads that work on one port until each has got its packet to stop (chapter 08 shows it
/// raw).

#include "common/unique.hpp"

#include <functional>
#include <thread>
#include <vector>

namespace iocp {

/// Threads that work on a port. The destructor posts one stop packet for each thread, a
/// packet without an OVERLAPPED, and only then joins them: a packet may be taken by any of
/// them.
class worker_pool {
public:
    /// Starts \p count threads. When the system has fewer to give, those that have started
    /// do the work.
    ///
    /// \param port where the stop packets are posted; must outlive the pool
    ///
    /// \param work takes packets from the port, and returns when it has taken one without
    /// an OVERLAPPED; it must let no exception out
    ///
    /// \throws std::system_error when not one thread has started
    worker_pool(const unique_handle& port, unsigned count,
                const std::function<void()>& work);
    ~worker_pool();
    worker_pool(const worker_pool&) = delete;
    worker_pool& operator=(const worker_pool&) = delete;

private:
    HANDLE port_;
    std::vector<std::thread> threads_;
};

} // namespace iocp
