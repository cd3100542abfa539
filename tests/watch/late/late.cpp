// Loads late_dll.dll, lets it begin a receive on a thread, and waits for that thread. Nothing of Winsock is imported
// here.

#include <winsock2.h>

#include <windows.h>

namespace {

using begin_receive = BOOL (*)();

DWORD WINAPI call(void* function) {
    return reinterpret_cast<begin_receive>(function)() ? 0 : 1;
}

} // namespace

// With an argument the DLL has been there before, at the same place.
int main(int argc, char**) {
    if (argc > 1) {
        const HMODULE before = ::LoadLibraryW(L"watch_late_dll.dll");
        if (before == nullptr || !::FreeLibrary(before)) {
            return 1;
        }
    }
    const HMODULE dll = ::LoadLibraryW(L"watch_late_dll.dll");
    if (dll == nullptr) {
        return 1;
    }
    void* const function = reinterpret_cast<void*>(::GetProcAddress(dll, "begin_receive"));
    const HANDLE thread = ::CreateThread(nullptr, 0, call, function, 0, nullptr);
    DWORD failed = 1;
    if (thread == nullptr || ::WaitForSingleObject(thread, INFINITE) != WAIT_OBJECT_0 ||
        !::GetExitCodeThread(thread, &failed)) {
        return 1;
    }
    return static_cast<int>(failed);
}
