// Chapter 17: receiving.

#include "connection.hpp"

#include <new>

// [receive]
void connection::submit_receive() {
    if (!inbox_) {
        inbox_.reset(new (std::nothrow) char[buffer_size]);
        if (!inbox_) { // want of memory costs this client, not the server
            ++books_.lost;
            close();
            return;
        }
    }
    receive_.clear();
    WSABUF room{buffer_size, inbox_.get()};
    DWORD bytes = 0; // read only after a success in skip mode, so it may live here and not
                     // in the operation
    DWORD flags = 0;
    // lent: receive_, the inbox -> kernel until the packet is dequeued, or the call returns
    // success in skip mode
    const int returned =
        ::WSARecv(socket_.get(), &room, 1, &bytes, &flags, &receive_, nullptr);
    after_submit(receive_, returned, bytes);
}

// [received]
void connection::received(DWORD bytes) {
    parking_ = false; // the cancel came too late, if there was one: this is a receive like
                      // any other
    if (probing_) {
        probing_ = false;
        parked_ = false; // there is something; a real receive tells data from the end
        return;
    }
    waiting_ = phase_ == phase::lingering ? 0 : bytes;
    input_over_ = bytes == 0;
}
// [/received]
// [/receive]

// [probe]
// A receive of zero bytes ends when there is something to receive, and leaves it there. It
// lends no buffer: for clients that are silent for long.
void connection::submit_probe() {
    inbox_.reset();
    outbox_.reset(); // nothing is owed: a connection is parked only then
    probing_ = true;
    receive_.clear();
    WSABUF nothing{0, nullptr};
    DWORD bytes = 0;
    DWORD flags = 0;
    // lent: receive_ -> kernel until the packet is dequeued, or the call returns success in
    // skip mode
    const int returned =
        ::WSARecv(socket_.get(), &nothing, 1, &bytes, &flags, &receive_, nullptr);
    after_submit(receive_, returned, bytes);
}
// [/probe]
