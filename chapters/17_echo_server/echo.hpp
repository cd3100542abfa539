#pragma once
// The policy, echo.hpp: what the server does with the bytes of its clients. Another server
// is another policy beside this one.

#include "connection.hpp"

// [echo]
class echo final : public connection {
public:
    using connection::connection;

private:
    void on_received(block& data) noexcept override { send(data); }
    void on_end() noexcept override { finish(); }
};
// [/echo]
