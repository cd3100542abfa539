#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include "tests/support/chapter.hpp"
#include "tests/support/failure.hpp"
#include "tests/support/options.hpp"

#include <winsock2.h>

#include <windows.h>

#include <shellapi.h>

#include <cstdio>
#include <iostream>

namespace support {

options& the_options() {
    static options instance;
    return instance;
}

bool needs_more_than_a_port(std::string_view what) {
    if (!the_options().own_program) {
        return false;
    }
    std::cout << "skipped: " << doctest::getContextOptions()->currentTest->m_name << " (needs " << what << ")\n";
    return true;
}

} // namespace support

namespace {

std::filesystem::path own_folder() {
    std::wstring buffer(32'768, L'\0');
    const DWORD length = ::GetModuleFileNameW(nullptr, buffer.data(), static_cast<DWORD>(buffer.size()));
    if (length == 0 || length == buffer.size()) {
        throw support::failure("GetModuleFileNameW", ::GetLastError());
    }
    buffer.resize(length);
    return std::filesystem::path(buffer).parent_path();
}

std::string to_utf8(const std::wstring& text) {
    const int length =
        ::WideCharToMultiByte(CP_UTF8, 0, text.data(), static_cast<int>(text.size()), nullptr, 0, nullptr, nullptr);
    std::string result(static_cast<std::size_t>(length), '\0');
    ::WideCharToMultiByte(CP_UTF8, 0, text.data(), static_cast<int>(text.size()), result.data(), length, nullptr,
                          nullptr);
    return result;
}

// Takes `--program PATH`, `--watched` and everything after `--` out of the command line and returns what is left for
// doctest.
std::vector<std::string> take_own_arguments() {
    int count = 0;
    wchar_t** const given = ::CommandLineToArgvW(::GetCommandLineW(), &count);
    if (given == nullptr) {
        throw support::failure("CommandLineToArgvW", ::GetLastError());
    }
    const std::vector<std::wstring> arguments(given, given + count);
    ::LocalFree(given);

    support::options& options = support::the_options();
    std::vector<std::string> left;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        if (arguments[i] == L"--") {
            options.extra_arguments.assign(arguments.begin() + static_cast<std::ptrdiff_t>(i) + 1, arguments.end());
            break;
        }
        if (arguments[i] == L"--watched") {
            options.watched = true;
            continue;
        }
        if (arguments[i] != L"--program") {
            left.push_back(to_utf8(arguments[i]));
            continue;
        }
        if (++i == arguments.size()) {
            throw support::failure("--program needs the path of a program");
        }
        options.program = std::filesystem::absolute(arguments[i]);
        options.own_program = true;
    }
    return left;
}

} // namespace

int main() {
    try {
        const std::filesystem::path folder = own_folder();
        support::options& options = support::the_options();
        options.ctrl_c = folder / "ctrl_c.exe";
        const std::vector<std::string> left = take_own_arguments();
        if (!options.own_program) {
            options.program =
                folder / (std::string(support::chapter.name) + (options.watched ? "_watched.exe" : ".exe"));
        }
        // Every program that a test starts finds it: a broken rule is written to its standard error and makes its exit
        // status 3.
        if (options.watched && !::SetEnvironmentVariableW(L"IOCP_WATCH", L"strict|quiet")) {
            throw support::failure("SetEnvironmentVariableW", ::GetLastError());
        }
        if (options.own_program && !std::filesystem::exists(options.program)) {
            throw support::failure("no such program: " + options.program.string());
        }

        WSADATA data{};
        if (const int code = ::WSAStartup(MAKEWORD(2, 2), &data); code != 0) {
            throw support::failure("WSAStartup", static_cast<unsigned long>(code));
        }
        std::vector<const char*> pointers;
        for (const std::string& argument : left) {
            pointers.push_back(argument.c_str());
        }
        doctest::Context context;
        context.applyCommandLine(static_cast<int>(pointers.size()), pointers.data());
        const int status = context.run();
        ::WSACleanup();
        return status;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 2;
    }
}
