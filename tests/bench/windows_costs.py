"""What a process costs, and where it may run, asked of Windows."""

import ctypes
from ctypes import wintypes

_kernel = ctypes.WinDLL("kernel32", use_last_error=True)
_psapi = ctypes.WinDLL("psapi", use_last_error=True)


class _Memory(ctypes.Structure):  # PROCESS_MEMORY_COUNTERS_EX
    _fields_ = [("cb", wintypes.DWORD), ("PageFaultCount", wintypes.DWORD)] + [
        (name, ctypes.c_size_t) for name in (
            "PeakWorkingSetSize", "WorkingSetSize", "QuotaPeakPagedPoolUsage", "QuotaPagedPoolUsage",
            "QuotaPeakNonPagedPoolUsage", "QuotaNonPagedPoolUsage", "PagefileUsage", "PeakPagefileUsage", "PrivateUsage")]


_psapi.GetProcessMemoryInfo.argtypes = [wintypes.HANDLE, ctypes.POINTER(_Memory), wintypes.DWORD]
_psapi.GetProcessMemoryInfo.restype = wintypes.BOOL
_kernel.GetProcessTimes.argtypes = [wintypes.HANDLE, *[ctypes.POINTER(wintypes.FILETIME)] * 4]
_kernel.GetProcessTimes.restype = wintypes.BOOL
_kernel.SetProcessAffinityMask.argtypes = [wintypes.HANDLE, ctypes.c_size_t]
_kernel.SetProcessAffinityMask.restype = wintypes.BOOL


def _checked(good):
    if not good:
        raise ctypes.WinError(ctypes.get_last_error())


def _handle(process):
    return wintypes.HANDLE(int(process._handle))  # subprocess has no other name for it


def pin(process, core):
    _checked(_kernel.SetProcessAffinityMask(_handle(process), 1 << core))


def memory(process):
    counters = _Memory(cb=ctypes.sizeof(_Memory))
    _checked(_psapi.GetProcessMemoryInfo(_handle(process), ctypes.byref(counters), counters.cb))
    return counters.PrivateUsage


def cpu(process):
    created, ended, kernel, user = (wintypes.FILETIME() for _ in range(4))
    _checked(_kernel.GetProcessTimes(_handle(process), *map(ctypes.byref, (created, ended, kernel, user))))
    return sum((one.dwHighDateTime << 32) + one.dwLowDateTime for one in (kernel, user)) / 1e7
