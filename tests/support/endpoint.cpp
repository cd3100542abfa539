#include "tests/support/endpoint.hpp"

#include "tests/support/failure.hpp"

#include <charconv>

namespace support {

std::string endpoint::text() const {
    return (is_ipv6() ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

endpoint parse_endpoint(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        throw failure("not an ADDRESS:PORT: " + std::string(text));
    }
    std::string_view host = text.substr(0, colon);
    const std::string_view digits = text.substr(colon + 1);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
    }
    endpoint result{std::string(host), 0};
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), result.port);
    if (host.empty() || error != std::errc{} || end != digits.data() + digits.size() || result.port == 0) {
        throw failure("not an ADDRESS:PORT: " + std::string(text));
    }
    return result;
}

} // namespace support
