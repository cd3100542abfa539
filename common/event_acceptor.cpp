#include "common/event_acceptor.hpp"

#include "common/error.hpp"
#include "common/overlapped_socket.hpp"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <utility>

namespace iocp {

void update_accept_context(SOCKET accepted, SOCKET listener) {
    if (::setsockopt(accepted, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT,
                     reinterpret_cast<const char*>(&listener),
                     sizeof listener) == SOCKET_ERROR) {
        fail(::WSAGetLastError(), "setsockopt SO_UPDATE_ACCEPT_CONTEXT");
    }
}

event_acceptor::event_acceptor(unique_socket listening, int family)
    : listener_{std::move(listening)}, family_{family},
      extensions_{listener_.get()}, event_{make_event()} {}

event_acceptor::~event_acceptor() {
    // The accept was submitted on the listener: closing that ends it.
    cancel_and_close(listener_);
    if (in_flight_) {
        const WSAEVENT ended = event_.get();
        if (::WSAWaitForMultipleEvents(1, &ended, TRUE, WSA_INFINITE, FALSE) ==
            WSA_WAIT_FAILED) {
            report(::WSAGetLastError(), "WSAWaitForMultipleEvents");
            std::abort(); // it is still lent: to free it would be worse
        }
        // back: overlapped_, addresses_
    }
}

bool event_acceptor::arm() noexcept {
    try {
        if (!in_flight_ && std::chrono::steady_clock::now() >= accept_from_) {
            submit();
        }
    } catch (const std::exception& problem) {
        failed(problem);
    }
    return in_flight_;
}

void event_acceptor::failed(const std::exception& problem) noexcept {
    const auto* const call = dynamic_cast<const call_error*>(&problem);
    const DWORD code = call == nullptr ? ERROR_OUTOFMEMORY : call->code();
    if (code == WSAECONNRESET || code == WSAENOTCONN) { // the latter under Wine
        return; // a client that has reset while it was accepted: the next one can come
    }
    accept_from_ = std::chrono::steady_clock::now() + std::chrono::milliseconds{250};
    if (std::exchange(last_failure_, code) != code) {
        std::fprintf(stderr, "%s\n", problem.what());
    }
}

void event_acceptor::submit() {
    socket_ = overlapped_socket(family_);
    overlapped_ = {};
    overlapped_.hEvent = event_.get();
    DWORD bytes = 0;
    in_flight_ = true;
    // lent: overlapped_, addresses_, socket_ -> kernel until WSAGetOverlappedResult gives a
    // result that is not 996
    if (!extensions_.AcceptEx(listener_.get(), socket_.get(), addresses_, 0,
                              accept_address_room, accept_address_room, &bytes,
                              &overlapped_)) {
        const int code = ::WSAGetLastError();
        if (code != ERROR_IO_PENDING) {
            in_flight_ = false;
            // back: overlapped_, addresses_, socket_: at once, nothing was submitted
            fail(code, "AcceptEx");
        }
    }
}

unique_socket event_acceptor::take() noexcept {
    if (!in_flight_) {
        return {};
    }
    DWORD bytes = 0;
    DWORD flags = 0;
    const BOOL good =
        ::WSAGetOverlappedResult(listener_.get(), &overlapped_, &bytes, FALSE, &flags);
    const int code = good ? 0 : ::WSAGetLastError();
    if (code == WSA_IO_INCOMPLETE) {
        return {};
    }
    in_flight_ = false;
    // back: overlapped_, addresses_, socket_
    try {
        if (!::WSAResetEvent(
                event_.get())) { // here, so that it is not set while no accept is in flight
            fail(::WSAGetLastError(), "WSAResetEvent");
        }
        if (code != 0) {
            fail(code, "AcceptEx");
        }
        update_accept_context(socket_.get(), listener_.get());
        last_failure_ = 0;
        return std::move(socket_);
    } catch (const std::exception& problem) {
        failed(problem);
        return {};
    }
}

} // namespace iocp
