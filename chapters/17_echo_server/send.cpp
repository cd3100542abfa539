// Chapter 17: sending, and the last words of a connection.

#include "connection.hpp"

#include "common/error.hpp"

// [send]
void connection::submit_send() {
    send_.clear();
    WSABUF rest{end_ - begin_, outbox_.get() + begin_};
    DWORD bytes = 0;
    // lent: send_, the outbox -> kernel until the packet is dequeued, or the call returns
    // success in skip mode
    const int returned = ::WSASend(socket_.get(), &rest, 1, &bytes, 0, &send_, nullptr);
    after_submit(send_, returned, bytes);
}

void connection::sent(DWORD bytes) {
    begin_ += bytes; // an overlapped send on a stream takes all; should it ever take a
                     // part, the rest is sent next
    books_.bytes += bytes;
    echoed_ = progress_;
}
// [/send]

// [goodbye]
// Closing a socket that has unread input resets the connection, and a reset may destroy
// echo that the client has not read yet. So: say that we send no more, read until the
// client leaves, close.
void connection::say_goodbye() {
    if (phase_ != phase::lingering && ::shutdown(socket_.get(), SD_SEND) == SOCKET_ERROR) {
        ++books_.lost; // reset in the last moment
    }
    if (linger_ && !input_over_) {
        phase_ = phase::lingering;
    } else {
        close();
    }
}
// [/goodbye]
