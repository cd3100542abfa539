#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace support {

/// Where a server listens, read from its first line.
struct endpoint {
    std::string host;
    std::uint16_t port = 0;

    bool is_ipv6() const { return host.find(':') != std::string::npos; }

    /// `127.0.0.1:6000` or `[::1]:6000`.
    std::string text() const;
};

/// Reads `127.0.0.1:6000` or `[::1]:6000`. Anything else throws a failure.
endpoint parse_endpoint(std::string_view text);

} // namespace support
