// The extension functions, which WSAIoctl hands out, and WSAIoctl itself.

#include "common/watch/hooks_submit.hpp"

#include <ws2tcpip.h>

#include <mswsock.h>

namespace iocp::watch {

namespace {

struct extensions {
    LPFN_ACCEPTEX AcceptEx;
    LPFN_CONNECTEX ConnectEx;
    LPFN_DISCONNECTEX DisconnectEx;
    LPFN_TRANSMITFILE TransmitFile;
    LPFN_GETACCEPTEXSOCKADDRS GetAcceptExSockaddrs;
};

extensions real;       // what ours call
extensions from_ioctl; // what WSAIoctl has handed out first

decltype(&::WSAIoctl) real_WSAIoctl;

// The watch's own import of Winsock, unwatched as everything here. It also brings Winsock
// into a program that will load it later, as those of Go do: what is not there when the
// watch begins is not replaced.
int family_of(SOCKET listener) {
    sockaddr_storage address{};
    int length = sizeof(address);
    const kept_error error;
    return ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) == 0
               ? address.ss_family
               : AF_UNSPEC;
}

BOOL PASCAL our_AcceptEx(SOCKET listener, SOCKET accepted, void* output, DWORD receive,
                         DWORD local, DWORD remote, DWORD* bytes, OVERLAPPED* overlapped) {
    const unwatched depth;
    if (!depth.is_watched() || overlapped == nullptr) {
        return real.AcceptEx(listener, accepted, output, receive, local, remote, bytes,
                             overlapped);
    }
    return submit(
               {.call = "AcceptEx",
                .handle = listener,
                .accept_handle = accepted,
                .overlapped = overlapped,
                .buffers = only(lent(output, std::size_t{receive} + local + remote, true)),
                .local_address_bytes = local,
                .remote_address_bytes = remote,
                .family = family_of(listener)},
               bytes,
               [&](LPWSAOVERLAPPED_COMPLETION_ROUTINE) {
                   return real.AcceptEx(listener, accepted, output, receive, local, remote,
                                        bytes, overlapped) != FALSE;
               })
               ? TRUE
               : FALSE;
}

BOOL PASCAL our_ConnectEx(SOCKET handle, const sockaddr* address, int length, void* data,
                          DWORD data_length, DWORD* bytes, OVERLAPPED* overlapped) {
    const unwatched depth;
    if (!depth.is_watched() || overlapped == nullptr) {
        return real.ConnectEx(handle, address, length, data, data_length, bytes,
                              overlapped);
    }
    submission next{.call = "ConnectEx", .handle = handle, .overlapped = overlapped};
    if (data != nullptr) {
        add(next.buffers, lent(data, data_length, false));
    }
    return submit(std::move(next), bytes,
                  [&](LPWSAOVERLAPPED_COMPLETION_ROUTINE) {
                      return real.ConnectEx(handle, address, length, data, data_length,
                                            bytes, overlapped) != FALSE;
                  })
               ? TRUE
               : FALSE;
}

BOOL PASCAL our_DisconnectEx(SOCKET handle, OVERLAPPED* overlapped, DWORD flags,
                             DWORD reserved) {
    const unwatched depth;
    if (!depth.is_watched() || overlapped == nullptr) {
        return real.DisconnectEx(handle, overlapped, flags, reserved);
    }
    return submit({.call = "DisconnectEx", .handle = handle, .overlapped = overlapped},
                  nullptr,
                  [&](LPWSAOVERLAPPED_COMPLETION_ROUTINE) {
                      return real.DisconnectEx(handle, overlapped, flags, reserved) !=
                             FALSE;
                  })
               ? TRUE
               : FALSE;
}

BOOL PASCAL our_TransmitFile(SOCKET handle, HANDLE file, DWORD bytes, DWORD bytes_per_send,
                             OVERLAPPED* overlapped, TRANSMIT_FILE_BUFFERS* around,
                             DWORD flags) {
    const unwatched depth;
    if (!depth.is_watched() || overlapped == nullptr) {
        return real.TransmitFile(handle, file, bytes, bytes_per_send, overlapped, around,
                                 flags);
    }
    submission next{.call = "TransmitFile", .handle = handle, .overlapped = overlapped};
    if (around != nullptr) {
        add(next.buffers, lent(around, sizeof(*around), false));
        add(next.buffers, lent(around->Head, around->HeadLength, false));
        add(next.buffers, lent(around->Tail, around->TailLength, false));
    }
    return submit(std::move(next), nullptr,
                  [&](LPWSAOVERLAPPED_COMPLETION_ROUTINE) {
                      return real.TransmitFile(handle, file, bytes, bytes_per_send,
                                               overlapped, around, flags) != FALSE;
                  })
               ? TRUE
               : FALSE;
}

void PASCAL our_GetAcceptExSockaddrs(void* output, DWORD receive, DWORD local, DWORD remote,
                                     sockaddr** local_address, int* local_length,
                                     sockaddr** remote_address, int* remote_length) {
    const unwatched depth;
    const std::uint64_t began = hooks().record->now();
    real.GetAcceptExSockaddrs(output, receive, local, remote, local_address, local_length,
                              remote_address, remote_length);
    if (depth.is_watched()) {
        hooks().record->called("GetAcceptExSockaddrs", began, true, 0);
    }
}

// [hand_out_ours]
// Puts ours into the place where WSAIoctl has written an extension function. It need not be
// the one that mswsock.dll exports under the same name; either does for ours to call.
// Another provider of sockets may have functions of its own: only the first one's are
// watched.
template <typename Function>
void hand_out_ours(void* place, Function& original, Function& first, Function ours) {
    Function& handed_out = *static_cast<Function*>(place);
    if (first == nullptr) {
        first = handed_out;
        hand_out(reinterpret_cast<void*>(first), reinterpret_cast<void*>(ours));
    }
    if (original == nullptr) {
        original = first;
    }
    if (handed_out == first) {
        handed_out = ours;
    }
}
// [/hand_out_ours]

void look_at_extension(const GUID& wanted, void* place) {
    // mswsock.h has the GUIDs as initialisers.
    static const GUID accept = WSAID_ACCEPTEX;
    static const GUID connect = WSAID_CONNECTEX;
    static const GUID disconnect = WSAID_DISCONNECTEX;
    static const GUID transmit = WSAID_TRANSMITFILE;
    static const GUID addresses = WSAID_GETACCEPTEXSOCKADDRS;
    if (::IsEqualGUID(wanted, accept)) {
        hand_out_ours<LPFN_ACCEPTEX>(place, real.AcceptEx, from_ioctl.AcceptEx,
                                     &our_AcceptEx);
    } else if (::IsEqualGUID(wanted, connect)) {
        hand_out_ours<LPFN_CONNECTEX>(place, real.ConnectEx, from_ioctl.ConnectEx,
                                      &our_ConnectEx);
    } else if (::IsEqualGUID(wanted, disconnect)) {
        hand_out_ours<LPFN_DISCONNECTEX>(place, real.DisconnectEx, from_ioctl.DisconnectEx,
                                         &our_DisconnectEx);
    } else if (::IsEqualGUID(wanted, transmit)) {
        hand_out_ours<LPFN_TRANSMITFILE>(place, real.TransmitFile, from_ioctl.TransmitFile,
                                         &our_TransmitFile);
    } else if (::IsEqualGUID(wanted, addresses)) {
        hand_out_ours<LPFN_GETACCEPTEXSOCKADDRS>(place, real.GetAcceptExSockaddrs,
                                                 from_ioctl.GetAcceptExSockaddrs,
                                                 &our_GetAcceptExSockaddrs);
    }
}

int WSAAPI our_WSAIoctl(SOCKET handle, DWORD code, void* in, DWORD in_length, void* out,
                        DWORD out_length, DWORD* bytes, OVERLAPPED* overlapped,
                        LPWSAOVERLAPPED_COMPLETION_ROUTINE routine) {
    const unwatched depth;
    if (!depth.is_watched()) {
        return real_WSAIoctl(handle, code, in, in_length, out, out_length, bytes,
                             overlapped, routine);
    }
    if (overlapped != nullptr) {
        submission next{.call = "WSAIoctl",
                        .handle = handle,
                        .overlapped = overlapped,
                        .routine = routine};
        if (in != nullptr) {
            add(next.buffers, lent(in, in_length, false));
        }
        if (out != nullptr) {
            add(next.buffers, lent(out, out_length, true));
        }
        const bool immediate =
            submit(std::move(next), bytes, [&](LPWSAOVERLAPPED_COMPLETION_ROUTINE ours) {
                return real_WSAIoctl(handle, code, in, in_length, out, out_length, bytes,
                                     overlapped, ours) == 0;
            });
        return immediate ? 0 : SOCKET_ERROR;
    }
    const int result = block("WSAIoctl", handle, bytes, [&] {
        return real_WSAIoctl(handle, code, in, in_length, out, out_length, bytes, nullptr,
                             routine);
    });
    if (result == 0 && code == SIO_GET_EXTENSION_FUNCTION_POINTER && in != nullptr &&
        in_length >= sizeof(GUID) && out != nullptr && out_length >= sizeof(void*)) {
        const kept_error error;
        look_at_extension(*static_cast<const GUID*>(in), out);
    }
    return result;
}

} // namespace

void replace_ioctl(import_table& table) {
    real_WSAIoctl = table.replace(L"ws2_32.dll", "WSAIoctl", &our_WSAIoctl);
    replace_extension_functions(table);
}

// Some programs import these from where they are, and do not ask WSAIoctl for them.
void replace_extension_functions(import_table& table) {
    const auto replace = [&table]<typename Function>(const char* name, Function& original,
                                                     Function ours) {
        const Function exported = table.replace(L"mswsock.dll", name, ours);
        if (original == nullptr) {
            original = exported;
        }
    };
    replace("AcceptEx", real.AcceptEx, LPFN_ACCEPTEX{&our_AcceptEx});
    replace("GetAcceptExSockaddrs", real.GetAcceptExSockaddrs,
            LPFN_GETACCEPTEXSOCKADDRS{&our_GetAcceptExSockaddrs});
    replace("TransmitFile", real.TransmitFile, LPFN_TRANSMITFILE{&our_TransmitFile});
}

} // namespace iocp::watch
