#include "connection.hpp"

#include "common/error.hpp"

#include <utility>

connection::connection(iocp::unique_socket accepted, admission ticket,
                       iocp::live_set<connection>& all, ledger& books, bool skip_mode)
    : ticket_{std::move(ticket)}, socket_{std::move(accepted)}, siblings_{all},
      books_{books}, skip_{skip_mode} {
    siblings_.enter(*this);
    ++books_.live;
}

connection::~connection() {
    --books_.live;
    siblings_.leave(*this);
}

// [count]
// [run]
// Every step of a connection is made here, and here is the one place where it ends: closed,
// and the last of its operations is back. Before that the kernel may still write to it;
// after that no packet can lead to it.
template <class Step>
void connection::run(connection& c, worker& here, Step step) {
    bool last = false;
    {
        const std::lock_guard lock{c.lock_};
        c.here_ = &here;
        c.turns_ = 0;
        step();
        do { // a loop, not a recursion: what succeeds at once is gone on with here
            c.at_once_ = false;
            c.move_on();
        } while (c.at_once_);
        last = c.phase_ == phase::closed && c.in_flight_ == 0;
    } // unlocked before it is destroyed
    if (last) {
        const std::unique_ptr<connection> mine{&c};
        // back: the connection
    }
}
// [/run]

void connection::start(std::unique_ptr<connection> fresh, worker& here) {
    // lent: the connection -> kernel until it is closed and its last operation is back
    run(*fresh.release(), here, [] {});
}

// [completed]
void connection::completed(const completion& ended, worker& here) {
    auto& operation = *static_cast<connection_operation*>(ended.operation);
    connection& c = operation.owner;
    run(c, here, [&] {
        const DWORD code = c.result_of(operation, ended);
        operation.in_flight = false;
        --c.in_flight_;
        --c.books_.outstanding;
        // back: operation, and the inbox with a receive, the outbox with a send
        if (c.phase_ == phase::closed ||
            (code == ERROR_OPERATION_ABORTED && c.was_cancelled(operation))) {
            return;
        }
        if (code != ERROR_SUCCESS) {
            ++c.books_.lost; // mostly a reset: the client's affair, and not worth a line
                             // for each
            c.close();
            return;
        }
        c.apply(operation, ended.bytes);
    });
}
// [/completed]
// [/count]

// [result]
// An entry of a batch does not say how the operation has ended. The operation knows, and is
// asked without waiting, of the socket that it was started on; when that is closed the
// answer does not matter any more.
DWORD connection::result_of(connection_operation& operation, const completion& ended) {
    if (ended.code_is_known || phase_ == phase::closed) {
        return ended.code;
    }
    DWORD bytes = 0;
    DWORD flags = 0;
    return ::WSAGetOverlappedResult(socket_.get(), &operation, &bytes, FALSE, &flags)
               ? ERROR_SUCCESS
               : static_cast<DWORD>(::WSAGetLastError());
}

void connection::apply(connection_operation& operation, DWORD bytes) {
    progress_ = clock_type::now();
    operation.what == iocp::kind::receive ? received(bytes) : sent(bytes);
}
// [/result]

// [move_on]
// Whatever has ended, the question is the same: what can be done now?
void connection::move_on() {
    if (!owes_bytes() && waiting_ > 0) { // the outbox is empty: the two change places
        std::swap(inbox_, outbox_);
        begin_ = 0;
        end_ = std::exchange(waiting_, 0);
    }
    if (phase_ != phase::closed && !send_.in_flight && owes_bytes()) {
        submit_send();
    }
    const bool over = input_over_ || phase_ == phase::finishing;
    if (phase_ != phase::closed && over && !owes_bytes() && waiting_ == 0 &&
        !receive_.in_flight) {
        say_goodbye();
    }
    const bool listening = phase_ == phase::open || phase_ == phase::lingering;
    if (listening && !receive_.in_flight && waiting_ == 0 &&
        !input_over_) { // a slow reader stops its own sending here
        parked_ ? submit_probe() : submit_receive();
    }
}
// [/move_on]

// [after_submit]
void connection::after_submit(connection_operation& operation, int returned, DWORD bytes) {
    const int code = returned == 0 ? 0 : ::WSAGetLastError();
    if (code != 0 && code != WSA_IO_PENDING) {
        // back: operation and its buffer: at once, nothing was started
        ++books_.lost;
        close();
        return;
    }
    operation.in_flight = true;
    ++in_flight_;
    ++books_.outstanding;
    if (code != 0 || !skip_) {
        return; // its packet will come, perhaps it is there already: its worker waits for
                // our lock
    }
    if (++turns_ >= fair_share) {
        here_->later(operation, bytes); // no packet will come, so it waits its turn with
                                        // this worker, still counted
        return;
    }
    operation.in_flight = false;
    --in_flight_;
    --books_.outstanding;
    // back: operation and its buffer: the call has returned success
    apply(operation, bytes);
    at_once_ = true;
}
// [/after_submit]
