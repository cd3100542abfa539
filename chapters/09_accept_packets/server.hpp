#pragma once
// The engine, server.hpp: the port, the acceptor, the connections, and the end of them all.

#include "acceptor.hpp"
#include "connection.hpp"
#include "operation.hpp"
#include "worker.hpp"

#include "common/error.hpp"
#include "common/listener.hpp"
#include "common/live_set.hpp"
#include "common/port.hpp"
#include "common/unique.hpp"

#include <winsock2.h>

#include <cstdlib>
#include <memory>
#include <utility>

// [server]
struct server {
    server(iocp::unique_socket listener, int family, unsigned accepts)
        : clients{std::move(listener), family, port, accepts,
                  [this](iocp::unique_socket accepted) { start(std::move(accepted)); }} {}

    void start(iocp::unique_socket accepted) {
        iocp::associate(accepted.get(), port);
        iocp::send_without_delay(accepted.get());
        connection::receive(std::make_unique<connection>(std::move(accepted), live));
    }

    // [end]
    // The workers have ended. Closing the sockets ends what is in flight, and it comes back
    // through the port.
    ~server() {
        clients.close();
        live.for_each([](connection& c) { c.close(); });
        while (!clients.all_back() || live.size() > 0) {
            constexpr DWORD patience_ms = 10'000; // no driver promises to end an operation
            const iocp::packet packet = iocp::dequeue(port, patience_ms);
            if (packet.overlapped == nullptr) {
                iocp::report(packet.ended.error, "GetQueuedCompletionStatus");
                std::abort(); // what is lent cannot come back, and is not freed
            }
            static_cast<operation*>(packet.overlapped)->complete(packet.ended);
        }
    }
    // [/end]

    const iocp::unique_handle port = iocp::make_port(0);
    iocp::live_set<connection> live;
    acceptor clients;
};
// [/server]
