#pragma once

#include "common/watch/recorder.hpp"

namespace iocp::watch {

/// Holds the recorder's lock. The listener hears that it is free again after it is. The
/// thread's last error stays as it was: it may be what the program's call is about to
/// return, or has returned.
class recorder::locked {
public:
    explicit locked(recorder& one, bool may_wait = true)
        : error_(::GetLastError()), one_(one), may_wait_(may_wait) {
        ::AcquireSRWLockExclusive(&one_.lock_);
    }
    ~locked() {
        ::ReleaseSRWLockExclusive(&one_.lock_);
        one_.told_.unlocked(may_wait_);
        ::SetLastError(error_);
    }
    locked(const locked&) = delete;
    locked& operator=(const locked&) = delete;

private:
    DWORD error_;
    recorder& one_;
    bool may_wait_;
};

} // namespace iocp::watch
