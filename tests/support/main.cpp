#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include "tests/support/explain.hpp"
#include "tests/support/failure.hpp"
#include "tests/support/needs.hpp"
#include "tests/support/options.hpp"

#include <winsock2.h>

#include <windows.h>

#include <algorithm>
#include <cstdio>

namespace {

void refuse_unknown_features() {
    const auto& known = support::all_features();
    for (const std::string& word : support::the_options().has) {
        if (std::ranges::find(known, word, &support::feature::word) == known.end()) {
            throw support::failure("--has does not know " + word);
        }
    }
}

} // namespace

int main() {
    try {
        const support::options& options = support::the_options();
        if (!options.mistake.empty()) {
            throw support::failure(options.mistake);
        }
        refuse_unknown_features();
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
        for (const std::string& argument : options.for_doctest) {
            pointers.push_back(argument.c_str());
        }
        doctest::Context context;
        context.applyCommandLine(static_cast<int>(pointers.size()), pointers.data());
        const int status = context.run();
        ::WSACleanup();
        if (options.own_program) {
            support::print_after_own_program();
        }
        return status;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 2;
    }
}
