// Files and named pipes that are opened for overlapped operations.

#include "common/watch/hooks_submit.hpp"

namespace iocp::watch {

namespace {

struct {
    decltype(&::CreateFileW) CreateFileW;
    decltype(&::CreateFileA) CreateFileA;
    decltype(&::CreateNamedPipeW) CreateNamedPipeW;
    decltype(&::CreateNamedPipeA) CreateNamedPipeA;
    decltype(&::ConnectNamedPipe) ConnectNamedPipe;
} real;

// Around a call that opens something. What is not for overlapped operations is not
// followed: a program opens many such files.
template <typename Function, typename... Arguments>
HANDLE around_open(const char* name, int kind, DWORD flags, Function function,
                   Arguments... arguments) {
    const unwatched depth;
    if (!depth.is_watched() || (flags & FILE_FLAG_OVERLAPPED) == 0) {
        return function(arguments...);
    }
    recorder& record = *hooks().record;
    const std::uint64_t began = record.now();
    const HANDLE made = function(arguments...);
    const kept_error error;
    if (made == INVALID_HANDLE_VALUE) {
        record.called(name, began, false, error.value());
    } else {
        record.made_socket(name, reinterpret_cast<SOCKET>(made), kind, kind, true, began);
    }
    return made;
}

HANDLE WINAPI our_CreateFileW(LPCWSTR path, DWORD access, DWORD share,
                              SECURITY_ATTRIBUTES* security, DWORD how, DWORD flags,
                              HANDLE pattern) {
    return around_open("CreateFileW", file_handle, flags, real.CreateFileW, path, access,
                       share, security, how, flags, pattern);
}

HANDLE WINAPI our_CreateFileA(LPCSTR path, DWORD access, DWORD share,
                              SECURITY_ATTRIBUTES* security, DWORD how, DWORD flags,
                              HANDLE pattern) {
    return around_open("CreateFileA", file_handle, flags, real.CreateFileA, path, access,
                       share, security, how, flags, pattern);
}

HANDLE WINAPI our_CreateNamedPipeW(LPCWSTR path, DWORD flags, DWORD mode, DWORD instances,
                                   DWORD output, DWORD input, DWORD milliseconds,
                                   SECURITY_ATTRIBUTES* security) {
    return around_open("CreateNamedPipeW", pipe_handle, flags, real.CreateNamedPipeW, path,
                       flags, mode, instances, output, input, milliseconds, security);
}

HANDLE WINAPI our_CreateNamedPipeA(LPCSTR path, DWORD flags, DWORD mode, DWORD instances,
                                   DWORD output, DWORD input, DWORD milliseconds,
                                   SECURITY_ATTRIBUTES* security) {
    return around_open("CreateNamedPipeA", pipe_handle, flags, real.CreateNamedPipeA, path,
                       flags, mode, instances, output, input, milliseconds, security);
}

BOOL WINAPI our_ConnectNamedPipe(HANDLE pipe, OVERLAPPED* overlapped) {
    const unwatched depth;
    const SOCKET handle = reinterpret_cast<SOCKET>(pipe);
    if (!depth.is_watched() || overlapped == nullptr || !hooks().record->knows(handle)) {
        return real.ConnectNamedPipe(pipe, overlapped);
    }
    return submit({.call = "ConnectNamedPipe", .handle = handle, .overlapped = overlapped},
                  nullptr,
                  [&](LPWSAOVERLAPPED_COMPLETION_ROUTINE) {
                      return real.ConnectNamedPipe(pipe, overlapped) != FALSE;
                  })
               ? TRUE
               : FALSE;
}

} // namespace

void replace_file_functions(import_table& table) {
    const wchar_t* const dll = L"kernel32.dll";
    real.CreateFileW = table.replace(dll, "CreateFileW", &our_CreateFileW);
    real.CreateFileA = table.replace(dll, "CreateFileA", &our_CreateFileA);
    real.CreateNamedPipeW = table.replace(dll, "CreateNamedPipeW", &our_CreateNamedPipeW);
    real.CreateNamedPipeA = table.replace(dll, "CreateNamedPipeA", &our_CreateNamedPipeA);
    real.ConnectNamedPipe = table.replace(dll, "ConnectNamedPipe", &our_ConnectNamedPipe);
}

} // namespace iocp::watch
