#include "common/watch/guarded_read.hpp"

#include <winsock2.h>

#include <windows.h>

namespace iocp::watch {

// The system reads for us: it finds out without an access violation what is not there.
bool guarded_read(void* to, const void* from, std::size_t bytes) {
    const DWORD error = ::GetLastError();
    SIZE_T copied = 0;
    const bool whole =
        ::ReadProcessMemory(::GetCurrentProcess(), from, to, bytes, &copied) &&
        copied == bytes;
    ::SetLastError(error);
    return whole;
}

} // namespace iocp::watch
