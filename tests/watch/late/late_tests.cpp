#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include "tests/support/child.hpp"
#include "tests/support/deadline.hpp"

#include <filesystem>
#include <string>

namespace {

std::filesystem::path own_folder() {
    std::wstring path(32'768, L'\0');
    path.resize(::GetModuleFileNameW(nullptr, path.data(), static_cast<DWORD>(path.size())));
    return std::filesystem::path(path).parent_path();
}

void check_named(const std::vector<std::wstring>& words) {
    support::child child(support::quoted(words), 0);
    const std::optional<DWORD> status = child.wait(support::deadline());
    const std::string error = child.err().text();
    CAPTURE(error);
    REQUIRE(status.has_value());
    CHECK(*status == 3);
    CHECK(error.find("watch: [freed-while-lent] exact: HeapFree") != std::string::npos);
    CHECK(error.find("DllMain at late_dll.cpp") != std::string::npos);
    CHECK(error.find("begin_receive at late_dll.cpp") != std::string::npos);
}

} // namespace

TEST_CASE("a DLL that comes late is watched and its DllMain may free lent memory without a deadlock") {
    SUBCASE("launched") {
        ::SetEnvironmentVariableW(L"IOCP_WATCH", nullptr);
        check_named({(own_folder() / "watch.exe").wstring(), L"--quiet", L"--strict",
                     (own_folder() / "watch_late.exe").wstring()});
    }
    SUBCASE("linked") {
        ::SetEnvironmentVariableW(L"IOCP_WATCH", L"quiet|strict");
        check_named({(own_folder() / "watch_late_watched.exe").wstring()});
    }
}

TEST_CASE("a DLL that is freed and loaded again is watched again") {
    SUBCASE("launched") {
        ::SetEnvironmentVariableW(L"IOCP_WATCH", nullptr);
        check_named({(own_folder() / "watch.exe").wstring(), L"--quiet", L"--strict",
                     (own_folder() / "watch_late.exe").wstring(), L"twice"});
    }
    SUBCASE("linked") {
        ::SetEnvironmentVariableW(L"IOCP_WATCH", L"quiet|strict");
        check_named({(own_folder() / "watch_late_watched.exe").wstring(), L"twice"});
    }
}

TEST_CASE("a program below the folder of Windows is watched like any other") {
    std::wstring folder(MAX_PATH, L'\0');
    folder.resize(::GetSystemWindowsDirectoryW(folder.data(), static_cast<UINT>(folder.size())));
    const std::filesystem::path there = std::filesystem::path(folder) / "Temp" / "watch_below_windows.exe";
    std::filesystem::create_directories(there.parent_path());
    std::filesystem::copy_file(own_folder() / "watch_freed_while_lent.exe", there,
                               std::filesystem::copy_options::overwrite_existing);
    ::SetEnvironmentVariableW(L"IOCP_WATCH", nullptr);
    support::child child(
        support::quoted({(own_folder() / "watch.exe").wstring(), L"--quiet", L"--strict", there.wstring(), L"wrong"}),
        0);
    const std::optional<DWORD> status = child.wait(support::deadline());
    const std::string error = child.err().text();
    std::error_code ignored;
    std::filesystem::remove(there, ignored);
    CAPTURE(error);
    REQUIRE(status.has_value());
    CHECK(*status == 3);
    CHECK(error.find("watch: [freed-while-lent] exact") != std::string::npos);
}
