#pragma once
/// \file
/// Threads that work on one port until each has got its packet to stop (chapter 08 shows it
/// raw).

#include "common/unique.hpp"

#include <functional>
#include <thread>
#include <vector>

namespace iocp {

/// The completion key of the packets that stop workers; such a packet has no OVERLAPPED. No
/// handle may be associated with this key.
inline constexpr ULONG_PTR stop_worker_key = 0;

/// Threads that work on ports. The destructor posts one stop packet for each thread, and
/// only then joins them: a packet may be taken by any thread that works on the same port.
class worker_pool {
public:
    worker_pool() = default;
    ~worker_pool();
    worker_pool(const worker_pool&) = delete;
    worker_pool& operator=(const worker_pool&) = delete;

    /// \param port  where the stop packets of these threads are posted; must outlive the
    /// pool \param count how many threads to start \param work  takes packets from the
    /// port, and returns when it has taken one with stop_worker_key and no
    ///              OVERLAPPED
    /// \throws std::system_error when the system has no thread to give; those that have
    /// started are stopped by the
    ///         destructor, as ever
    void start(const unique_handle& port, unsigned count,
               const std::function<void()>& work);

private:
    struct member {
        HANDLE port;
        std::thread thread;
    };
    std::vector<member> members_;
};

} // namespace iocp
