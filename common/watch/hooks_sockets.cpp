// Winsock's calls that submit no overlapped operation.

#include "common/watch/depth.hpp"
#include "common/watch/guarded_read.hpp"
#include "common/watch/hooks.hpp"

#include <ws2tcpip.h>

#include <mswsock.h>

namespace iocp::watch {

namespace {

struct {
    decltype(&::socket) socket;
    decltype(&::WSASocketW) WSASocketW;
    // Written out: the Windows SDK calls the name deprecated, even where nobody calls it.
    SOCKET(WSAAPI* WSASocketA)(int, int, int, LPWSAPROTOCOL_INFOA, GROUP, DWORD);
    decltype(&::accept) accept;
    decltype(&::WSAAccept) WSAAccept;
    decltype(&::closesocket) closesocket;
    decltype(&::bind) bind;
    decltype(&::listen) listen;
    decltype(&::connect) connect;
    decltype(&::shutdown) shutdown;
    decltype(&::recv) recv;
    decltype(&::send) send;
    decltype(&::recvfrom) recvfrom;
    decltype(&::sendto) sendto;
    decltype(&::setsockopt) setsockopt;
    decltype(&::getpeername) getpeername;
    decltype(&::getsockname) getsockname;
    decltype(&::ioctlsocket) ioctlsocket;
    decltype(&::WSAEventSelect) WSAEventSelect;
    decltype(&::WSAEnumNetworkEvents) WSAEnumNetworkEvents;
    decltype(&::WSACreateEvent) WSACreateEvent;
    decltype(&::WSACloseEvent) WSACloseEvent;
    decltype(&::WSAPoll) WSAPoll;
} real;

// [around]
// Around a call on one socket, which returns SOCKET_ERROR when it fails.
template <typename Function, typename... Arguments>
int around(const char* name, SOCKET handle, Function function, Arguments... arguments) {
    const unwatched depth;
    if (!depth.is_watched()) {
        return function(arguments...);
    }
    recorder& record = *hooks().record;
    const ticket entered = record.enter(name, handle);
    const int result = function(arguments...);
    const kept_error error; // Winsock's last error is the thread's last error
    record.leave(entered, result != SOCKET_ERROR,
                 result > 0 ? static_cast<std::uint32_t>(result) : 0,
                 result == SOCKET_ERROR ? error.value() : 0);
    return result;
}
// [/around]

// Around a call that makes a socket.
// \param copy of a socket that there was before: WSADuplicateSocketW has filled in what it
// is made from
template <typename Function, typename... Arguments>
SOCKET around_new(const char* name, int family, int type, bool copy, Function function,
                  Arguments... arguments) {
    const unwatched depth;
    if (!depth.is_watched()) {
        return function(arguments...);
    }
    recorder& record = *hooks().record;
    const std::uint64_t began = record.now();
    const SOCKET made = function(arguments...);
    const kept_error error;
    if (made == INVALID_SOCKET) {
        record.called(name, began, false, error.value());
    } else {
        record.made_socket(name, made, family, type, !copy, began);
    }
    return made;
}

// Around accept and WSAAccept, which are calls on one socket and make another.
template <typename Function, typename... Arguments>
SOCKET around_accept(const char* name, SOCKET listener, Function function,
                     Arguments... arguments) {
    const unwatched depth;
    if (!depth.is_watched()) {
        return function(arguments...);
    }
    recorder& record = *hooks().record;
    const ticket entered = record.enter(name, listener);
    const SOCKET made = function(arguments...);
    const kept_error error;
    record.leave(entered, made != INVALID_SOCKET, 0,
                 made == INVALID_SOCKET ? error.value() : 0);
    if (made != INVALID_SOCKET) {
        record.made_socket(name, made, AF_UNSPEC, SOCK_STREAM, true, entered.began);
    }
    return made;
}

SOCKET WSAAPI our_socket(int family, int type, int protocol) {
    return around_new("socket", family, type, false, real.socket, family, type, protocol);
}

SOCKET WSAAPI our_WSASocketW(int family, int type, int protocol, LPWSAPROTOCOL_INFOW info,
                             GROUP group, DWORD flags) {
    return around_new("WSASocketW", family, type,
                      info != nullptr && info->dwProviderReserved != 0, real.WSASocketW,
                      family, type, protocol, info, group, flags);
}

SOCKET WSAAPI our_WSASocketA(int family, int type, int protocol, LPWSAPROTOCOL_INFOA info,
                             GROUP group, DWORD flags) {
    return around_new("WSASocketA", family, type,
                      info != nullptr && info->dwProviderReserved != 0, real.WSASocketA,
                      family, type, protocol, info, group, flags);
}

SOCKET WSAAPI our_accept(SOCKET listener, sockaddr* address, int* length) {
    return around_accept("accept", listener, real.accept, listener, address, length);
}

SOCKET WSAAPI our_WSAAccept(SOCKET listener, sockaddr* address, LPINT length,
                            LPCONDITIONPROC condition, DWORD_PTR data) {
    return around_accept("WSAAccept", listener, real.WSAAccept, listener, address, length,
                         condition, data);
}

int WSAAPI our_closesocket(SOCKET handle) {
    const unwatched depth;
    if (!depth.is_watched()) {
        return real.closesocket(handle);
    }
    recorder& record = *hooks().record;
    u_long unread = 0;
    if (record.knows(handle) && real.ioctlsocket(handle, FIONREAD, &unread) != 0) {
        unread = 0; // it listens, or is not connected
    }
    const socket_info closed = record.closing("closesocket", handle, unread);
    const int result = real.closesocket(handle);
    const kept_error error;
    if (result == SOCKET_ERROR) {
        record.put_back(closed);
    }
    return result;
}

int WSAAPI our_bind(SOCKET handle, const sockaddr* address, int length) {
    return around("bind", handle, real.bind, handle, address, length);
}

int WSAAPI our_listen(SOCKET handle, int backlog) {
    return around("listen", handle, real.listen, handle, backlog);
}

int WSAAPI our_connect(SOCKET handle, const sockaddr* address, int length) {
    return around("connect", handle, real.connect, handle, address, length);
}

int WSAAPI our_shutdown(SOCKET handle, int how) {
    return around("shutdown", handle, real.shutdown, handle, how);
}

int WSAAPI our_recv(SOCKET handle, char* buffer, int length, int flags) {
    return around("recv", handle, real.recv, handle, buffer, length, flags);
}

int WSAAPI our_send(SOCKET handle, const char* buffer, int length, int flags) {
    return around("send", handle, real.send, handle, buffer, length, flags);
}

int WSAAPI our_recvfrom(SOCKET handle, char* buffer, int length, int flags, sockaddr* from,
                        int* from_length) {
    return around("recvfrom", handle, real.recvfrom, handle, buffer, length, flags, from,
                  from_length);
}

int WSAAPI our_sendto(SOCKET handle, const char* buffer, int length, int flags,
                      const sockaddr* to, int to_length) {
    return around("sendto", handle, real.sendto, handle, buffer, length, flags, to,
                  to_length);
}

int WSAAPI our_setsockopt(SOCKET handle, int level, int option, const char* value,
                          int length) {
    const unwatched depth;
    const int result = real.setsockopt(handle, level, option, value, length);
    if (!depth.is_watched() || level != SOL_SOCKET) {
        return result;
    }
    const kept_error error;
    recorder& record = *hooks().record;
    const bool ok = result != SOCKET_ERROR;
    if (option == SO_UPDATE_ACCEPT_CONTEXT || option == SO_UPDATE_CONNECT_CONTEXT) {
        if (ok) {
            record.has_context(handle);
        } else if (const auto listener =
                       guarded_read(reinterpret_cast<const SOCKET*>(value));
                   option == SO_UPDATE_ACCEPT_CONTEXT && listener) {
            record.context_failed(*listener);
        }
    } else if (const auto how = guarded_read(reinterpret_cast<const linger*>(value));
               option == SO_LINGER && ok && how) {
        record.lingers(handle, how->l_onoff != 0 && how->l_linger == 0);
    }
    return result;
}

int WSAAPI our_getpeername(SOCKET handle, sockaddr* address, int* length) {
    return around("getpeername", handle, real.getpeername, handle, address, length);
}

int WSAAPI our_getsockname(SOCKET handle, sockaddr* address, int* length) {
    return around("getsockname", handle, real.getsockname, handle, address, length);
}

int WSAAPI our_ioctlsocket(SOCKET handle, long command, u_long* argument) {
    return around("ioctlsocket", handle, real.ioctlsocket, handle, command, argument);
}

int WSAAPI our_WSAEventSelect(SOCKET handle, WSAEVENT event, long wanted) {
    return around("WSAEventSelect", handle, real.WSAEventSelect, handle, event, wanted);
}

int WSAAPI our_WSAEnumNetworkEvents(SOCKET handle, WSAEVENT event,
                                    LPWSANETWORKEVENTS happened) {
    return around("WSAEnumNetworkEvents", handle, real.WSAEnumNetworkEvents, handle, event,
                  happened);
}

WSAEVENT WSAAPI our_WSACreateEvent() {
    const unwatched depth;
    const WSAEVENT made = real.WSACreateEvent();
    if (depth.is_watched() && made != WSA_INVALID_EVENT) {
        const kept_error error;
        hooks().record->made_event(made);
    }
    return made;
}

BOOL WSAAPI our_WSACloseEvent(WSAEVENT event) {
    const unwatched depth;
    if (depth.is_watched()) {
        hooks().record->closing_event(event);
    }
    return real.WSACloseEvent(event);
}

// Waits that only look are not worth a record each.
int WSAAPI our_WSAPoll(LPWSAPOLLFD sockets, ULONG count, INT milliseconds) {
    const unwatched depth;
    recorder& record = *hooks().record;
    const std::uint64_t began = record.now();
    const int result = real.WSAPoll(sockets, count, milliseconds);
    if (depth.is_watched() && milliseconds != 0) {
        const kept_error error;
        record.called("WSAPoll", began, result > 0,
                      result == SOCKET_ERROR ? error.value()
                      : result == 0          ? static_cast<std::uint32_t>(WSA_WAIT_TIMEOUT)
                                             : 0);
    }
    return result;
}

} // namespace

void replace_socket_functions(import_table& table) {
    const wchar_t* const dll = L"ws2_32.dll";
    real.socket = table.replace(dll, "socket", &our_socket);
    real.WSASocketW = table.replace(dll, "WSASocketW", &our_WSASocketW);
    real.WSASocketA = table.replace(dll, "WSASocketA", &our_WSASocketA);
    real.accept = table.replace(dll, "accept", &our_accept);
    real.WSAAccept = table.replace(dll, "WSAAccept", &our_WSAAccept);
    real.closesocket = table.replace(dll, "closesocket", &our_closesocket);
    real.bind = table.replace(dll, "bind", &our_bind);
    real.listen = table.replace(dll, "listen", &our_listen);
    real.connect = table.replace(dll, "connect", &our_connect);
    real.shutdown = table.replace(dll, "shutdown", &our_shutdown);
    real.recv = table.replace(dll, "recv", &our_recv);
    real.send = table.replace(dll, "send", &our_send);
    real.recvfrom = table.replace(dll, "recvfrom", &our_recvfrom);
    real.sendto = table.replace(dll, "sendto", &our_sendto);
    real.setsockopt = table.replace(dll, "setsockopt", &our_setsockopt);
    real.getpeername = table.replace(dll, "getpeername", &our_getpeername);
    real.getsockname = table.replace(dll, "getsockname", &our_getsockname);
    real.ioctlsocket = table.replace(dll, "ioctlsocket", &our_ioctlsocket);
    real.WSAEventSelect = table.replace(dll, "WSAEventSelect", &our_WSAEventSelect);
    real.WSAEnumNetworkEvents =
        table.replace(dll, "WSAEnumNetworkEvents", &our_WSAEnumNetworkEvents);
    real.WSACreateEvent = table.replace(dll, "WSACreateEvent", &our_WSACreateEvent);
    real.WSACloseEvent = table.replace(dll, "WSACloseEvent", &our_WSACloseEvent);
    real.WSAPoll = table.replace(dll, "WSAPoll", &our_WSAPoll);
}

} // namespace iocp::watch
