// A DLL that ends the process that loads it: a program linked with it ends before its first line.

#include <winsock2.h>

#include <windows.h>

extern "C" __declspec(dllexport) int needed() {
    return 0;
}

extern "C" BOOL WINAPI DllMain(HINSTANCE, DWORD reason, void*) {
    constexpr UINT its_status = 9;
    if (reason == DLL_PROCESS_ATTACH) {
        ::TerminateProcess(::GetCurrentProcess(), its_status);
    }
    return TRUE;
}
