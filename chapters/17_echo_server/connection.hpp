#pragma once
// Chapter 17, connection: one client. Its parts: receive.cpp, send.cpp, cancel.cpp, and
// here and in connection.cpp what holds them together: the lock, the count, and the one
// question, what can be done now.

#include "accept.hpp"
#include "ledger.hpp"
#include "settings.hpp"
#include "worker.hpp"

#include "common/accept_pool.hpp"
#include "common/live_set.hpp"
#include "common/operation.hpp"
#include "common/unique.hpp"

#include <winsock2.h>

#include <memory>
#include <mutex>

struct connection_operation : iocp::typed_operation {
    connection_operation(iocp::kind what_it_is, class connection& belongs_to)
        : iocp::typed_operation{what_it_is}, owner{belongs_to} {}
    class connection& owner;
    bool in_flight = false;
};

// [phase]
// A connection only goes forward in this list.
enum class phase {
    open,
    finishing, // receives no more; what it owes is being sent
    lingering, // has said all (SD_SEND) and waits for the client to leave; what comes now
               // is thrown away
    closed     // the socket is closed, its operations are on their way back
};
// [/phase]

// [glance]
// What a tick knows when it looks at a connection.
struct glance {
    clock_type::time_point now;
    clock_type::duration idle_limit{}; // zero: none
    bool parking = false;
    bool stopping = false;
    clock_type::time_point stopped_at{};
    bool out_of_time = false;
};
// [/glance]

// It is lent to the kernel as a whole, from start() until it is closed and the last of its
// operations is back.
class connection {
public:
    connection(iocp::unique_socket accepted, admission ticket,
               iocp::live_set<connection>& all, ledger& books, bool skip_mode);
    ~connection();
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    static void start(std::unique_ptr<connection> fresh, worker& here);
    static void completed(const completion& ended, worker& here);

    void look(const glance& with);
    void close_now();

private:
    template <class Step>
    static void run(connection& c, worker& here, Step step);
    void move_on();
    void after_submit(connection_operation& operation, int returned, DWORD bytes);
    DWORD result_of(connection_operation& operation, const completion& ended);
    void apply(connection_operation& operation, DWORD bytes);
    bool owes_bytes() const { return begin_ < end_; }

    void submit_receive(); // receive.cpp
    void submit_probe();
    void received(DWORD bytes);

    void submit_send(); // send.cpp
    void sent(DWORD bytes);
    void say_goodbye();

    void finish(); // cancel.cpp
    void park();
    bool was_cancelled(connection_operation& operation);
    void cancel_receive();
    void close();

    static constexpr ULONG buffer_size = 16 * 1024;
    static constexpr int fair_share =
        16; // steps on one connection before its worker looks at the port again

    // [state]
    const admission ticket_; // its place under --max-connections
    iocp::unique_socket socket_;
    iocp::live_set<connection>& siblings_;
    ledger& books_;
    const bool skip_;
    std::mutex
        lock_; // of all below and of every call on the socket: two workers may meet here
    worker* here_ = nullptr; // who runs the step that is being made
    connection_operation receive_{iocp::kind::receive, *this};
    connection_operation send_{iocp::kind::send, *this};
    std::unique_ptr<char[]> inbox_;  // lent to the receive
    std::unique_ptr<char[]> outbox_; // lent to the send
    ULONG waiting_ = 0; // bytes in the inbox, received while the outbox was busy
    ULONG begin_ = 0;   // still to be sent: outbox_[begin_, end_)
    ULONG end_ = 0;
    int in_flight_ = 0;
    int turns_ = 0;           // steps since the worker looked at the port
    bool at_once_ = false;    // an operation has succeeded at once and was applied
    bool input_over_ = false; // the client has said all it had to say
    bool linger_ = false;
    bool parking_ = false; // the receive was cancelled to get its buffer back
    bool parked_ = false;  // no buffers: wait with a probe
    bool probing_ = false; // the receive in flight is a probe
    phase phase_ = phase::open;
    clock_type::time_point progress_ =
        clock_type::now();            // when bytes moved last, in either direction
    clock_type::time_point echoed_{}; // when a send ended last
    // [/state]
};
