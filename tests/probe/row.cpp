#include "row.hpp"

#include <winsock2.h>

#include <windows.h>

#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>

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
    std::printf("%s: found %s (documented: %s) [%s]\n", cells.behaviour, found.c_str(), cells.documented,
                system_name().c_str());
    std::fflush(stdout);
    const std::string expected = wine() == 8 ? cells.wine_8 : wine() == 10 ? cells.wine_10 : "";
    if (!expected.empty()) {
        INFO(std::string{cells.behaviour}, " under ", system_name());
        CHECK(found == expected);
    }
}

} // namespace probe
