// launched WHAT [ARGS...]: a program that the tests start under the watch. The first word says what it does.

#include "common/unique.hpp"
#include "common/winsock.hpp"

#include <winsock2.h>

#include <windows.h>

#include <shellapi.h>

#include <cstdio>
#include <cwchar>
#include <string>
#include <vector>

namespace {

std::vector<std::wstring> arguments() {
    int count = 0;
    wchar_t** const given = ::CommandLineToArgvW(::GetCommandLineW(), &count);
    std::vector<std::wstring> words(given, given + count);
    ::LocalFree(given);
    return words;
}

// A line in UTF-8, at once.
void print(const std::wstring& text) {
    std::string narrow(3 * text.size(), '\0');
    const int bytes = ::WideCharToMultiByte(CP_UTF8, 0, text.data(), static_cast<int>(text.size()), narrow.data(),
                                            static_cast<int>(narrow.size()), nullptr, nullptr);
    narrow.resize(static_cast<std::size_t>(bytes));
    std::printf("%s\n", narrow.c_str());
    std::fflush(stdout);
}

void wait_for_a_byte() {
    char byte = 0;
    DWORD read = 0;
    ::ReadFile(::GetStdHandle(STD_INPUT_HANDLE), &byte, 1, &read, nullptr);
}

HANDLE pressed = nullptr;

BOOL WINAPI on_ctrl_c(DWORD) {
    return ::SetEvent(pressed);
}

int end_after_ctrl_c(int status) {
    pressed = ::CreateEventW(nullptr, TRUE, FALSE, nullptr);
    ::SetConsoleCtrlHandler(on_ctrl_c, TRUE);
    print(L"waiting");
    ::WaitForSingleObject(pressed, INFINITE);
    print(L"pressed");
    return status;
}

int leave_another_behind() {
    wchar_t self[MAX_PATH];
    ::GetModuleFileNameW(nullptr, self, MAX_PATH);
    std::wstring command_line = L"launched greet";
    STARTUPINFOW startup{};
    startup.cb = sizeof startup;
    PROCESS_INFORMATION made{};
    const BOOL good =
        ::CreateProcessW(self, command_line.data(), nullptr, nullptr, TRUE, 0, nullptr, nullptr, &startup, &made);
    return good ? 0 : 1;
}

// The process ends with the exception's code, as after every crash, and without a debugger that is asked first.
LONG WINAPI end_the_process(EXCEPTION_POINTERS*) {
    return EXCEPTION_EXECUTE_HANDLER;
}

// Lends an OVERLAPPED that is lent already.
int break_a_rule(int status) {
    const iocp::winsock winsock;
    static OVERLAPPED overlapped; // these live to the end of the process: so do the operations
    static char buffers[2][16];
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    const SOCKET socket = ::WSASocketW(AF_INET, SOCK_DGRAM, IPPROTO_UDP, nullptr, 0, WSA_FLAG_OVERLAPPED);
    if (::bind(socket, reinterpret_cast<const sockaddr*>(&where), sizeof where) == SOCKET_ERROR) {
        iocp::fail(::WSAGetLastError(), "bind");
    }
    overlapped.hEvent = ::WSACreateEvent();
    for (char* const buffer : {buffers[0], buffers[1]}) {
        WSABUF room{sizeof buffers[0], buffer};
        DWORD flags = 0;
        ::WSARecv(socket, &room, 1, nullptr, &flags, &overlapped, nullptr);
    }
    return status;
}

} // namespace

int main() {
    const std::vector<std::wstring> words = arguments();
    const std::wstring what = words.size() > 1 ? words[1] : L"";
    const int number = words.size() > 2 ? static_cast<int>(std::wcstol(words[2].c_str(), nullptr, 10)) : 0;
    if (what == L"words") {
        for (std::size_t i = 2; i < words.size(); ++i) {
            print(words[i]);
        }
        return 0;
    }
    if (what == L"command-line") {
        print(::GetCommandLineW());
        return 0;
    }
    if (what == L"status") {
        return number;
    }
    if (what == L"crash") {
        ::SetUnhandledExceptionFilter(end_the_process);
        ::RaiseException(EXCEPTION_ACCESS_VIOLATION, EXCEPTION_NONCONTINUABLE, 0, nullptr);
    }
    if (what == L"wait") {
        return end_after_ctrl_c(number);
    }
    if (what == L"leave") {
        return leave_another_behind();
    }
    if (what == L"greet") {
        wait_for_a_byte();
        print(L"still here");
        return 0;
    }
    if (what == L"break") {
        return break_a_rule(number);
    }
    return 1;
}
