// Chapter 17: accepting.

#include "accept.hpp"

#include "common/error.hpp"
#include "common/event_acceptor.hpp"
#include "common/overlapped_socket.hpp"
#include "common/port.hpp"

#include <cstdio>
#include <new>
#include <utility>

admission::~admission() {
    if (from_ != nullptr) {
        from_->left();
    }
}

acceptor::acceptor(iocp::unique_socket listening, int family,
                   const iocp::unique_handle& port, const settings& how, ledger& books)
    : listener_{std::move(listening)}, family_{family}, how_{how}, books_{books},
      extensions_{listener_.get()} {
    iocp::associate(listener_.get(), port, listener_key);
    top_up();
}

// [top_up]
// [arm]
void acceptor::top_up() {
    const std::lock_guard lock{lock_};
    try {
        while (!stopped_ && armed_ < how_.accepts &&
               clients_ + armed_ < how_.max_connections) {
            submit();
            ++armed_; // its packet may be here already; whoever has it waits for the lock
        }
        last_failure_ = 0;
    } catch (const iocp::call_error& problem) {
        if (std::exchange(last_failure_, problem.code()) != problem.code()) {
            std::fprintf(stderr, "%s\n", problem.what());
        }
    } catch (const std::bad_alloc&) {
        std::fprintf(stderr, "no memory for an accept\n"); // tried again, as any other
    }
}
// [/arm]

// [submit]
void acceptor::submit() {
    auto mine = std::make_unique<iocp::accept_operation>();
    mine->socket = iocp::overlapped_socket(family_);
    DWORD bytes = 0;
    iocp::accept_operation* const lent = iocp::lend(std::move(mine));
    ++books_.outstanding;
    // lent: the accept operation with its socket -> kernel until its packet is dequeued
    if (!extensions_.AcceptEx(listener_.get(), lent->socket.get(), lent->addresses, 0,
                              iocp::accept_address_room, iocp::accept_address_room, &bytes,
                              lent)) {
        const int code = ::WSAGetLastError();
        if (code != ERROR_IO_PENDING) {
            --books_.outstanding;
            mine = iocp::take_back<iocp::accept_operation>(lent);
            // back: the accept operation: at once
            iocp::fail(code, "AcceptEx");
        }
    }
}
// [/submit]
// [/top_up]

// [take]
acceptor::arrival acceptor::take(const completion& ended) {
    const auto mine = iocp::take_back<iocp::accept_operation>(ended.operation);
    // back: the accept operation with its socket
    --books_.outstanding;
    arrival newcomer;
    {
        const std::lock_guard lock{lock_};
        --armed_;
        DWORD bytes = 0;
        DWORD flags = 0;
        const bool good = ended.code_is_known
                              ? ended.code == ERROR_SUCCESS
                              : ::WSAGetOverlappedResult(listener_.get(), mine.get(),
                                                         &bytes, FALSE, &flags) != FALSE;
        if (!good || stopped_) { // a client that has left again, or that came too late
            return newcomer;
        }
        ++clients_;
    }
    newcomer.ticket = admission{*this};
    iocp::update_accept_context(mine->socket.get(), listener_.get());
    newcomer.socket = std::move(mine->socket);
    return newcomer;
}

// [left]
void acceptor::left() {
    {
        const std::lock_guard lock{lock_};
        --clients_;
    }
    top_up();
}
// [/left]
// [/take]

// [stop_accepting]
// The flag first: accepts are submitted under the same lock, so none slips in behind the
// cancel.
void acceptor::stop() {
    const std::lock_guard lock{lock_};
    stopped_ = true;
    if (!::CancelIoEx(reinterpret_cast<HANDLE>(listener_.get()),
                      nullptr)) { // all that is pending on the listener
        const DWORD code = ::GetLastError();
        if (code != ERROR_NOT_FOUND) {
            iocp::report(code, "CancelIoEx");
        }
    }
}
// [/stop_accepting]
