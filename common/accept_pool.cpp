#include "common/accept_pool.hpp"

#include "common/error.hpp"
#include "common/overlapped_socket.hpp"
#include "common/port.hpp"

#include <cstdio>
#include <exception>
#include <memory>
#include <utility>

namespace iocp {

accept_pool::accept_pool(unique_socket listening, int family, const unique_handle& port,
                         ULONG_PTR key, unsigned target)
    : listener_{std::move(listening)}, family_{family},
      extensions_{listener_.get()}, target_{target} {
    associate(listener_.get(), port, key);
    top_up();
}

void accept_pool::top_up() {
    const std::lock_guard lock{lock_};
    try {
        for (; armed_ < target_; ++armed_) {
            submit();
        }
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
    }
}

void accept_pool::submit() {
    auto mine = std::make_unique<accept_operation>();
    mine->socket = overlapped_socket(family_);
    DWORD bytes = 0;
    accept_operation* const lent = lend(std::move(mine));
    // lent: the accept operation with its socket -> kernel until its packet is dequeued
    if (!extensions_.AcceptEx(listener_.get(), lent->socket.get(), lent->addresses, 0,
                              accept_address_room, accept_address_room, &bytes, lent)) {
        const int code = ::WSAGetLastError();
        if (code != ERROR_IO_PENDING) {
            mine = take_back<accept_operation>(lent);
            // back: the accept operation: at once
            fail(code, "AcceptEx");
        }
    }
}

unique_socket accept_pool::take(accept_operation* lent, DWORD code) {
    const auto mine = take_back<accept_operation>(lent);
    // back: the accept operation with its socket
    {
        const std::lock_guard lock{lock_};
        --armed_;
    }
    if (code != ERROR_SUCCESS) {
        return {};
    }
    update_accept_context(mine->socket.get(), listener_.get());
    return std::move(mine->socket);
}

void accept_pool::stop_arming() {
    const std::lock_guard lock{lock_};
    target_ = 0;
}

unsigned accept_pool::armed() const {
    const std::lock_guard lock{lock_};
    return armed_;
}

} // namespace iocp
