#pragma once
/// \file
/// The operation that is lent to the kernel and comes back with its packet (chapter 07
/// shows it raw).

#include <winsock2.h>

#include <memory>
#include <type_traits>

namespace iocp {

/// How an operation has ended.
struct result {
    DWORD bytes = 0;             ///< how many were received or sent
    DWORD error = ERROR_SUCCESS; ///< a Win32 code, as the dequeue gave it: 64 is a reset
};

/// The base of everything that is in flight on a port: an OVERLAPPED with an address that
/// does not change. It is lent from the submit until its packet is dequeued; after an
/// immediate failure it is back at once.
struct operation : OVERLAPPED {
    operation() noexcept : OVERLAPPED{} {}
    operation(const operation&) = delete;
    operation& operator=(const operation&) = delete;

    /// To be called before each submit: the system has left the last result in the
    /// OVERLAPPED.
    void clear() noexcept { static_cast<OVERLAPPED&>(*this) = {}; }

protected:
    ~operation() = default; // nobody deletes through a pointer to this base
};

/// Gives an operation to the kernel, for a submit that follows at once.
/// \return the address to submit. Nobody owns it now: its packet brings it back, through
/// take_back().
template <class Operation>
[[nodiscard]] Operation* lend(std::unique_ptr<Operation> mine) noexcept {
    static_assert(std::is_base_of_v<operation, Operation>);
    return mine.release();
}

/// Takes an operation back, from its packet or from a submit that has failed at once.
/// \param lent what lend() returned, as the port hands it out
template <class Operation>
[[nodiscard]] std::unique_ptr<Operation> take_back(OVERLAPPED* lent) noexcept {
    static_assert(std::is_base_of_v<operation, Operation>,
                  "then static_cast leads back from OVERLAPPED*");
    return std::unique_ptr<Operation>{static_cast<Operation*>(lent)};
}

} // namespace iocp
