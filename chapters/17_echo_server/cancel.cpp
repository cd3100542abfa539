// Chapter 17: asking for the buffer back: from clients that are idle, and from all when the
// server ends.

#include "connection.hpp"

#include "common/error.hpp"
#include "common/overlapped_socket.hpp"

// [look]
// Every tick looks at every connection. It only cancels and closes, it submits nothing: so
// an operation that is in flight stays counted, and its packet ends the connection as ever.
void connection::look(const glance& with) {
    const std::lock_guard lock{lock_};
    const auto still_for = with.now - progress_;
    const bool at_rest = phase_ == phase::open && !owes_bytes() && waiting_ == 0;
    if (with.out_of_time) {
        close();
    } else if (with.stopping) {
        if (at_rest && still_for >= quiet) {
            linger_ = echoed_ > with.stopped_at; // in the middle of something: its last
                                                 // bytes may be on the way
            finish();
        }
    } else if (with.idle_limit != clock_type::duration::zero() &&
               still_for >= with.idle_limit) {
        at_rest
            ? finish()
            : close(); // it does not take what we send, or does not leave: no more patience
    } else if (with.parking && at_rest && !probing_ && !parking_ &&
               still_for >= park_after) {
        park();
    }
}

void connection::close_now() {
    const std::lock_guard lock{lock_};
    close();
}
// [/look]

// [cancel]
void connection::finish() {
    phase_ = phase::finishing;
    cancel_receive();
}

void connection::park() {
    parking_ = true;
    cancel_receive();
}

// Only asks. receive_ and the inbox stay lent until the packet is here; it may bring data,
// and says 995 if it does not.
void connection::cancel_receive() {
    if (!::CancelIoEx(reinterpret_cast<HANDLE>(socket_.get()), &receive_)) {
        const DWORD code = ::GetLastError();
        if (code != ERROR_NOT_FOUND) { // 1168: it has just ended by itself; its packet is
                                       // on the way
            iocp::report(code, "CancelIoEx");
            close();
        }
    }
}

// [was_cancelled]
// Was it we who ended this operation? The code alone does not tell: 995 has other causes,
// so our own flags decide.
bool connection::was_cancelled(connection_operation& operation) {
    if (operation.what != iocp::kind::receive) {
        return false;
    }
    if (phase_ == phase::finishing) {
        return true;
    }
    if (phase_ == phase::open && parking_) {
        parking_ = false;
        parked_ = true; // and move_on() puts a probe in the place of the receive
        ++books_.parked;
        return true;
    }
    return false;
}
// [/was_cancelled]

void connection::close() {
    phase_ = phase::closed;
    iocp::cancel_and_close(
        socket_); // nobody is inside a call on it: such calls are made under the lock
}
// [/cancel]
