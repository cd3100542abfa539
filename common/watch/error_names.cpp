#include "common/watch/error_names.hpp"

#include <algorithm>
#include <iterator>

namespace iocp::watch {
namespace {

struct named {
    std::uint32_t code;
    const char* name;
};

// By number: some names are missing from older headers. Where a code has two names it is
// the one of docs/errors.csv.
constexpr named names[] = {
    {2, "ERROR_FILE_NOT_FOUND"},
    {5, "ERROR_ACCESS_DENIED"},
    {6, "ERROR_INVALID_HANDLE"},
    {8, "ERROR_NOT_ENOUGH_MEMORY"},
    {14, "ERROR_OUTOFMEMORY"},
    {38, "ERROR_HANDLE_EOF"},
    {50, "ERROR_NOT_SUPPORTED"},
    {52, "ERROR_DUP_NAME"},
    {59, "ERROR_UNEXP_NET_ERR"},
    {64, "ERROR_NETNAME_DELETED"},
    {87, "ERROR_INVALID_PARAMETER"},
    {109, "ERROR_BROKEN_PIPE"},
    {121, "ERROR_SEM_TIMEOUT"},
    {122, "ERROR_INSUFFICIENT_BUFFER"},
    {123, "ERROR_INVALID_NAME"},
    {192, "WAIT_IO_COMPLETION"},
    {232, "ERROR_NO_DATA"},
    {234, "ERROR_MORE_DATA"},
    {258, "WAIT_TIMEOUT"},
    {487, "ERROR_INVALID_ADDRESS"},
    {535, "ERROR_PIPE_CONNECTED"},
    {676, "ERROR_HANDLES_CLOSED"},
    {735, "ERROR_ABANDONED_WAIT_0"},
    {995, "ERROR_OPERATION_ABORTED"},
    {996, "ERROR_IO_INCOMPLETE"},
    {997, "ERROR_IO_PENDING"},
    {1168, "ERROR_NOT_FOUND"},
    {1225, "ERROR_CONNECTION_REFUSED"},
    {1229, "ERROR_CONNECTION_INVALID"},
    {1231, "ERROR_NETWORK_UNREACHABLE"},
    {1232, "ERROR_HOST_UNREACHABLE"},
    {1234, "ERROR_PORT_UNREACHABLE"},
    {1236, "ERROR_CONNECTION_ABORTED"},
    {1450, "ERROR_NO_SYSTEM_RESOURCES"},
    {10004, "WSAEINTR"},
    {10013, "WSAEACCES"},
    {10014, "WSAEFAULT"},
    {10022, "WSAEINVAL"},
    {10024, "WSAEMFILE"},
    {10035, "WSAEWOULDBLOCK"},
    {10036, "WSAEINPROGRESS"},
    {10037, "WSAEALREADY"},
    {10038, "WSAENOTSOCK"},
    {10040, "WSAEMSGSIZE"},
    {10042, "WSAENOPROTOOPT"},
    {10043, "WSAEPROTONOSUPPORT"},
    {10045, "WSAEOPNOTSUPP"},
    {10047, "WSAEAFNOSUPPORT"},
    {10048, "WSAEADDRINUSE"},
    {10049, "WSAEADDRNOTAVAIL"},
    {10050, "WSAENETDOWN"},
    {10051, "WSAENETUNREACH"},
    {10052, "WSAENETRESET"},
    {10053, "WSAECONNABORTED"},
    {10054, "WSAECONNRESET"},
    {10055, "WSAENOBUFS"},
    {10056, "WSAEISCONN"},
    {10057, "WSAENOTCONN"},
    {10058, "WSAESHUTDOWN"},
    {10060, "WSAETIMEDOUT"},
    {10061, "WSAECONNREFUSED"},
    {10065, "WSAEHOSTUNREACH"},
    {10091, "WSASYSNOTREADY"},
    {10092, "WSAVERNOTSUPPORTED"},
    {10093, "WSANOTINITIALISED"},
    {10101, "WSAEDISCON"},
    {11001, "WSAHOST_NOT_FOUND"},
};

} // namespace

const char* error_name(std::uint32_t code) {
    const auto found = std::find_if(std::begin(names), std::end(names),
                                    [code](const named& one) { return one.code == code; });
    return found == std::end(names) ? nullptr : found->name;
}

std::string error_words(std::uint32_t code) {
    std::string words = std::to_string(code);
    if (const char* const name = error_name(code)) {
        words.append(" ").append(name);
    }
    return words;
}

} // namespace iocp::watch
