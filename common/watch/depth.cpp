#include "common/watch/depth.hpp"

namespace iocp::watch {

namespace {

DWORD slot = TLS_OUT_OF_INDEXES;

} // namespace

void unwatched::prepare() {
    slot = ::TlsAlloc();
}

unwatched::unwatched() {
    // TlsGetValue sets the last error even when it succeeds.
    const DWORD error = ::GetLastError();
    depth_ = reinterpret_cast<std::uintptr_t>(::TlsGetValue(slot));
    ::TlsSetValue(slot, reinterpret_cast<void*>(depth_ + 1));
    ::SetLastError(error);
}

unwatched::~unwatched() {
    const DWORD error = ::GetLastError();
    ::TlsSetValue(slot, reinterpret_cast<void*>(depth_));
    ::SetLastError(error);
}

} // namespace iocp::watch
