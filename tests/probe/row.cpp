#include "row.hpp"

#include "claims_csv.hpp"
#include "tests/support/csv.hpp"

#include <winsock2.h>

#include <windows.h>

#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace {

template <class Function>
Function from_ntdll(const char* name) {
    const HMODULE ntdll = ::GetModuleHandleW(L"ntdll.dll");
    REQUIRE(ntdll != nullptr);
    return reinterpret_cast<Function>(reinterpret_cast<void (*)()>(::GetProcAddress(ntdll, name)));
}

// Null on Windows.
const char* wine_version() {
    const auto get = from_ntdll<const char* (*)()>("wine_get_version");
    return get ? get() : nullptr;
}

std::string name_the_system() {
    if (const char* version = wine_version()) {
        return std::string{"Wine "} + version;
    }
    // GetVersionEx answers with the version that the program was made for.
    const auto get = from_ntdll<LONG(WINAPI*)(OSVERSIONINFOW*)>("RtlGetVersion");
    OSVERSIONINFOW about{};
    about.dwOSVersionInfoSize = sizeof about;
    if (!get || get(&about) != 0) {
        return "Windows";
    }
    return "Windows " + std::to_string(about.dwMajorVersion) + "." + std::to_string(about.dwMinorVersion) + "." +
           std::to_string(about.dwBuildNumber);
}

// What is known of a claim, as `documented: 995; reported: 1236 or 64`.
struct expectation {
    std::string text;
    std::vector<std::string_view> answers;
};

void add_answers(expectation& expected, std::string_view alternatives) {
    constexpr std::string_view between = " or ";
    for (auto end = alternatives.find(between); end != std::string_view::npos; end = alternatives.find(between)) {
        expected.answers.push_back(alternatives.substr(0, end));
        alternatives.remove_prefix(end + between.size());
    }
    expected.answers.push_back(alternatives);
}

expectation expected_of_windows(std::string_view claim) {
    expectation expected;
    bool known = false;
    for (const std::vector<std::string_view>& cells : support::csv_rows(claims_csv)) {
        if (cells.front() != claim) {
            continue;
        }
        known = true;
        const std::string_view sign = cells.at(1);
        const std::string_view answer = cells.at(2);
        if (!answer.empty()) {
            expected.text += (expected.text.empty() ? "" : "; ") + std::string{sign} + ": " + std::string{answer};
            add_answers(expected, answer);
        }
    }
    INFO("docs/claims.csv has no ", std::string{claim});
    CHECK(known);
    return expected;
}

std::string verdict(const expectation& expected, const std::string& found) {
    if (probe::wine() != 0) {
        return "";
    }
    if (expected.answers.empty()) {
        return " - so far nobody could say";
    }
    for (const std::string_view answer : expected.answers) {
        if (answer == found) {
            return " - as expected";
        }
    }
    return " - NOT AS EXPECTED";
}

} // namespace

namespace probe {

const std::string& system_name() {
    static const std::string name = name_the_system();
    return name;
}

int wine() {
    const char* version = wine_version();
    return version ? std::atoi(version) : 0;
}

void compare(const row& cells, const std::string& found) {
    const expectation windows = expected_of_windows(cells.claim);
    std::printf("%s: found %s (%s) [%s]%s\n", cells.behaviour, found.c_str(),
                windows.text.empty() ? "not known of Windows" : windows.text.c_str(), system_name().c_str(),
                verdict(windows, found).c_str());
    std::fflush(stdout);
    const std::string expected = wine() == 8 ? cells.wine_8 : wine() == 10 ? cells.wine_10 : "";
    if (!expected.empty()) {
        INFO(std::string{cells.behaviour}, " under ", system_name());
        CHECK(found == expected);
    }
}

} // namespace probe
