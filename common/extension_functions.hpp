#pragma once
/// \file
/// The Winsock functions that a provider hands out by GUID, as chapter 06 loads them.

#include <winsock2.h>

#include <mswsock.h>

namespace iocp {

/// The functions of one provider. They serve every socket of the same provider, so one load
/// is enough for a server.
struct extension_functions {
    /// \param socket any socket of the family that the functions are to be used with
    /// \throws call_error naming the function that the provider does not have
    explicit extension_functions(SOCKET socket);

    LPFN_ACCEPTEX AcceptEx;
    LPFN_GETACCEPTEXSOCKADDRS GetAcceptExSockaddrs;
};

} // namespace iocp
