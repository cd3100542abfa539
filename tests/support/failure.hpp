#pragma once

#include <stdexcept>
#include <string>

namespace support {

/// What a helper of the tests throws when it cannot go on. doctest catches it and fails the case with its text.
class failure : public std::runtime_error {
public:
    explicit failure(const std::string& text) : std::runtime_error(text) {}

    /// \param call the name of the call that failed
    /// \param code what WSAGetLastError() or GetLastError() gave
    failure(const std::string& call, unsigned long code) : std::runtime_error(call + ": " + std::to_string(code)) {}
};

} // namespace support
