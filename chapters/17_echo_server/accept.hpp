#pragma once
// Chapter 17, acceptor: as many AcceptEx in flight as there is room for clients, and always
// tried again.

#include "ledger.hpp"
#include "settings.hpp"
#include "worker.hpp"

#include "common/accept_pool.hpp"
#include "common/extension_functions.hpp"
#include "common/overlapped_socket.hpp"
#include "common/unique.hpp"

#include <winsock2.h>

#include <memory>
#include <mutex>
#include <utility>

class acceptor;

// [admission]
// A place under --max-connections. Who holds it is a client; when it goes, the next one may
// come.
class admission {
public:
    admission() noexcept = default;
    explicit admission(acceptor& from) noexcept : from_{&from} {}
    admission(admission&& other) noexcept : from_{std::exchange(other.from_, nullptr)} {}
    admission& operator=(admission&& other) noexcept {
        std::swap(from_, other.from_);
        return *this;
    }
    ~admission();

private:
    acceptor* from_ = nullptr;
};
// [/admission]

class acceptor {
public:
    acceptor(iocp::unique_socket listening, int family, const iocp::unique_handle& port,
             const settings& how, ledger& books);

    // Armed accepts = min(--accepts, --max-connections - clients - armed). To be called
    // from packets, when a client has left, and now and then: what was missing may have
    // been somebody else's.
    void top_up();

    struct arrival {
        iocp::unique_socket socket; // none: that accept has failed
        admission ticket;
    };
    arrival take(const completion& ended);

    void left(); // called by admission

    void stop(); // nobody new: what is in flight is cancelled and comes back
    void close() { iocp::cancel_and_close(listener_); } // the same, in the hard way
    int family() const { return family_; }

private:
    void submit();

    iocp::unique_socket listener_;
    const int family_;
    const settings& how_;
    ledger& books_;
    const iocp::extension_functions extensions_;
    std::mutex lock_; // of all below and of every AcceptEx
    unsigned armed_ = 0;
    unsigned clients_ = 0;
    unsigned long last_failure_ = 0; // reported once, not with every try
    bool stopped_ = false;
};
