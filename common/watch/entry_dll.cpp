// The watch as a DLL, which the launcher brings into a program before that has run.

#include "common/watch/watching.hpp"

// [entry]
BOOL WINAPI DllMain(HINSTANCE own, DWORD reason, void* process_ends) {
    switch (reason) {
    case DLL_PROCESS_ATTACH:
        iocp::watch::begin_watching(own);
        break;
    case DLL_THREAD_DETACH:
        iocp::watch::end_of_thread();
        break;
    case DLL_PROCESS_DETACH:
        if (process_ends != nullptr) {
            iocp::watch::end_of_program(false, false);
        }
        break;
    default:
        break;
    }
    return TRUE;
}
// [/entry]
