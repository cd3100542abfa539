#include "common/extension_functions.hpp"

#include "common/error.hpp"

namespace iocp {
namespace {

template <class Function>
Function load(SOCKET socket, GUID id, const char* name) {
    Function function = nullptr;
    DWORD bytes = 0;
    if (::WSAIoctl(socket, SIO_GET_EXTENSION_FUNCTION_POINTER, &id, sizeof id, &function,
                   sizeof function, &bytes, nullptr, nullptr) == SOCKET_ERROR) {
        fail(::WSAGetLastError(), "WSAIoctl SIO_GET_EXTENSION_FUNCTION_POINTER", name);
    }
    return function;
}

} // namespace

extension_functions::extension_functions(SOCKET socket)
    : AcceptEx{load<LPFN_ACCEPTEX>(socket, WSAID_ACCEPTEX, "AcceptEx")},
      GetAcceptExSockaddrs{load<LPFN_GETACCEPTEXSOCKADDRS>(
          socket, WSAID_GETACCEPTEXSOCKADDRS, "GetAcceptExSockaddrs")} {}

} // namespace iocp
