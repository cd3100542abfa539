// Memory that is freed: whoever frees lent memory lets the system write into what belongs
// to somebody else by then.

#include "common/watch/depth.hpp"
#include "common/watch/guarded_read.hpp"
#include "common/watch/hooks.hpp"

#include <cstdlib>

#include <malloc.h>

namespace iocp::watch {

namespace {

struct runtime {
    decltype(&::free) free;
    decltype(&::realloc) realloc;
    decltype(&::_msize) size;
    decltype(&::_aligned_free) aligned_free;
    void(__cdecl* free_dbg)(void*, int); ///< of a debug runtime: delete goes there
    std::intptr_t(__cdecl* heap)();      ///< _get_heap_handle
};

struct {
    runtime c[runtimes];
    decltype(&::HeapFree) HeapFree;
    decltype(&::HeapReAlloc) HeapReAlloc;
    decltype(&::VirtualFree) VirtualFree;
    decltype(&::HeapDestroy) HeapDestroy;
    decltype(&::LocalFree) LocalFree;
    decltype(&::DeleteFiber) DeleteFiber;
    decltype(&::UnmapViewOfFile) UnmapViewOfFile;
} real;

// [our_free]
template <int Runtime>
void __cdecl our_free(void* block) {
    const unwatched depth;
    if (depth.is_watched() && block != nullptr) {
        const kept_error error;
        // The whole block: an OVERLAPPED is mostly somewhere in the middle of it.
        hooks().record->freeing("free", block, real.c[Runtime].size(block));
    }
    real.c[Runtime].free(block);
}
// [/our_free]

template <int Runtime>
void __cdecl our_free_dbg(void* block, int kind) {
    const unwatched depth;
    if (depth.is_watched() && block != nullptr) {
        const kept_error error;
        hooks().record->freeing("_free_dbg", block, real.c[Runtime].size(block));
    }
    real.c[Runtime].free_dbg(block, kind);
}

// An aligned block lies in a larger one of the heap, whose address stands just before it.
template <int Runtime>
void __cdecl our_aligned_free(void* block) {
    const unwatched depth;
    const runtime& c = real.c[Runtime];
    if (depth.is_watched() && block != nullptr && c.heap != nullptr) {
        const kept_error error;
        const auto before =
            (reinterpret_cast<std::uintptr_t>(block) & ~(sizeof(void*) - 1)) -
            sizeof(void*);
        const auto whole =
            guarded_read(reinterpret_cast<void* const*>(before)).value_or(nullptr);
        const auto heap = reinterpret_cast<HANDLE>(c.heap());
        if (whole != nullptr && whole < block && ::HeapValidate(heap, 0, whole)) {
            hooks().record->freeing("_aligned_free", whole, ::HeapSize(heap, 0, whole));
        }
    }
    c.aligned_free(block);
}

HLOCAL WINAPI our_LocalFree(HLOCAL block) {
    const unwatched depth;
    if (depth.is_watched() && block != nullptr) {
        const kept_error error;
        if (const SIZE_T bytes = ::LocalSize(block); bytes != 0) {
            hooks().record->freeing("LocalFree", block, bytes);
        }
    }
    return real.LocalFree(block);
}

template <int Runtime>
void* __cdecl our_realloc(void* block, std::size_t bytes) {
    const unwatched depth;
    if (depth.is_watched() && block != nullptr) {
        const kept_error error;
        hooks().record->freeing("realloc", block, real.c[Runtime].size(block));
    }
    return real.c[Runtime].realloc(block, bytes);
}

void freeing_heap_block(const char* call, HANDLE heap, DWORD flags, const void* block) {
    const kept_error error;
    const SIZE_T bytes = ::HeapSize(heap, flags & HEAP_NO_SERIALIZE, block);
    if (bytes != static_cast<SIZE_T>(-1)) {
        hooks().record->freeing(call, block, bytes);
    }
}

BOOL WINAPI our_HeapFree(HANDLE heap, DWORD flags, void* block) {
    const unwatched depth;
    if (depth.is_watched() && block != nullptr) {
        freeing_heap_block("HeapFree", heap, flags, block);
    }
    return real.HeapFree(heap, flags, block);
}

void* WINAPI our_HeapReAlloc(HANDLE heap, DWORD flags, void* block, SIZE_T bytes) {
    const unwatched depth;
    // In place the block stays where it is; it only becomes a problem when it becomes
    // smaller.
    if (depth.is_watched() && block != nullptr &&
        (flags & HEAP_REALLOC_IN_PLACE_ONLY) == 0) {
        freeing_heap_block("HeapReAlloc", heap, flags, block);
    }
    return real.HeapReAlloc(heap, flags, block, bytes);
}

BOOL WINAPI our_VirtualFree(void* address, SIZE_T bytes, DWORD how) {
    const unwatched depth;
    if (depth.is_watched()) {
        const kept_error error;
        MEMORY_BASIC_INFORMATION region{};
        if (bytes != 0) {
            hooks().record->freeing("VirtualFree", address, bytes);
        } else {
            // The whole allocation, which may consist of several regions.
            const char* end = static_cast<const char*>(address);
            while (::VirtualQuery(end, &region, sizeof(region)) != 0 &&
                   region.AllocationBase == address) {
                end = static_cast<const char*>(region.BaseAddress) + region.RegionSize;
            }
            hooks().record->freeing(
                "VirtualFree", address,
                static_cast<std::size_t>(end - static_cast<const char*>(address)));
        }
    }
    return real.VirtualFree(address, bytes, how);
}

// What belongs to a heap or to a fiber only the system knows: it is asked afterwards what
// of the lent memory is gone.
template <typename Function>
void around_vanishing(const char* call, Function function) {
    const unwatched depth;
    if (!depth.is_watched()) {
        function();
        return;
    }
    recorder& record = *hooks().record;
    {
        const kept_error error;
        record.before_vanishing();
    }
    function();
    const kept_error error;
    record.vanished(call);
}

BOOL WINAPI our_HeapDestroy(HANDLE heap) {
    BOOL done = FALSE;
    around_vanishing("HeapDestroy", [&] { done = real.HeapDestroy(heap); });
    return done;
}

void WINAPI our_DeleteFiber(void* fiber) {
    around_vanishing("DeleteFiber", [&] { real.DeleteFiber(fiber); });
}

BOOL WINAPI our_UnmapViewOfFile(const void* view) {
    BOOL done = FALSE;
    around_vanishing("UnmapViewOfFile", [&] { done = real.UnmapViewOfFile(view); });
    return done;
}

template <int Runtime>
void replace_runtime(import_table& table) {
    runtime& c = real.c[Runtime];
    if (c.size == nullptr) { // not yet, or not loaded then
        // _msize first: the others stand on it.
        c.size = reinterpret_cast<decltype(c.size)>(
            import_table::find(runtime_dll[Runtime], "_msize"));
        if (c.size != nullptr) {
            c.free = table.replace(runtime_dll[Runtime], "free", &our_free<Runtime>);
            c.realloc =
                table.replace(runtime_dll[Runtime], "realloc", &our_realloc<Runtime>);
            c.heap = reinterpret_cast<decltype(c.heap)>(
                import_table::find(runtime_dll[Runtime], "_get_heap_handle"));
            c.aligned_free = table.replace(runtime_dll[Runtime], "_aligned_free",
                                           &our_aligned_free<Runtime>);
            c.free_dbg =
                table.replace(runtime_dll[Runtime], "_free_dbg", &our_free_dbg<Runtime>);
        }
    }
}

} // namespace

void replace_memory_functions(import_table& table) {
    real.HeapFree = table.replace(L"kernel32.dll", "HeapFree", &our_HeapFree);
    real.HeapReAlloc = table.replace(L"kernel32.dll", "HeapReAlloc", &our_HeapReAlloc);
    real.VirtualFree = table.replace(L"kernel32.dll", "VirtualFree", &our_VirtualFree);
    real.LocalFree = table.replace(L"kernel32.dll", "LocalFree", &our_LocalFree);
    real.HeapDestroy = table.replace(L"kernel32.dll", "HeapDestroy", &our_HeapDestroy);
    real.DeleteFiber = table.replace(L"kernel32.dll", "DeleteFiber", &our_DeleteFiber);
    real.UnmapViewOfFile =
        table.replace(L"kernel32.dll", "UnmapViewOfFile", &our_UnmapViewOfFile);
    replace_memory_functions_of_runtimes(table);
}

void replace_memory_functions_of_runtimes(import_table& table) {
    replace_runtime<0>(table);
    replace_runtime<1>(table);
    replace_runtime<2>(table);
}

} // namespace iocp::watch
