#pragma once

#include <winsock2.h>

#include <windows.h>

namespace iocp::watch {

/// Begins to watch this process: puts the layers together and replaces the functions. Once,
/// before the program's own code runs. What it makes stays until the process ends.
///
/// \param own the watch's DLL; null when the watch is linked with the program
void begin_watching(HMODULE own);

/// On a thread that ends.
void end_of_thread();

/// Where there is no DllMain that hears of threads' ends: `ended` is called on each one
/// that ends.
void tell_of_threads(PFLS_CALLBACK_FUNCTION ended);

/// At the program's end; later calls do nothing.
///
/// \param count_what_is_left say what is open and in flight
///
/// \param others_live false when Windows has ended the other threads, the watch's own
/// included
///
/// \return whether the program must now end with status_when_strict: it was to be strict,
/// no launcher does it, it would end with 0, and something exact was found
bool end_of_program(bool count_what_is_left, bool others_live);

/// Exit status of a program that would have ended with 0.
constexpr UINT status_when_strict = 3;

} // namespace iocp::watch
