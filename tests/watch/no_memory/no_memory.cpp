// What the watch does when there is no memory for it: the program's calls go on as they do without the watch, and it
// says once that it sees nothing any more.

#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include "tests/support/child.hpp"
#include "tests/support/deadline.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::string_view lost = "watch: there is no memory for what it has to remember";

std::filesystem::path program() {
    std::wstring path(32'768, L'\0');
    path.resize(::GetModuleFileNameW(nullptr, path.data(), static_cast<DWORD>(path.size())));
    return std::filesystem::path(path).parent_path() / "watch_no_memory.exe";
}

std::size_t times(const std::string& text, std::string_view part) {
    std::size_t count = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
        ++count;
    }
    return count;
}

// \return what it has written to standard error
std::string run(const std::wstring& environment, const std::vector<std::wstring>& arguments) {
    ::SetEnvironmentVariableW(L"IOCP_WATCH", environment.c_str());
    std::vector<std::wstring> words{program().wstring()};
    words.insert(words.end(), arguments.begin(), arguments.end());
    support::child child(support::quoted(words), 0);
    const std::optional<DWORD> status = child.wait(support::deadline());
    std::string error = child.err().text();
    CAPTURE(error);
    REQUIRE(status.has_value());
    CHECK(*status == 0);
    CHECK(error.find("exact:") == std::string::npos);
    CHECK(error.find("heuristic:") == std::string::npos);
    return error;
}

} // namespace

TEST_CASE("a program whose watch has memory ends without a finding") {
    CHECK(run(L"quiet|strict", {L"0"}) == "");
}

TEST_CASE("a program goes on when its watch gets no memory at one moment and that is said at most once") {
    bool said = false;
    for (const wchar_t* const number : {L"1", L"2", L"5", L"13", L"21", L"34", L"55"}) {
        CAPTURE(number);
        const std::size_t count = times(run(L"quiet|strict", {number}), lost);
        CHECK(count <= 1);
        said = said || count == 1;
    }
    CHECK(said);
}

TEST_CASE("a program goes on when its watch gets no more memory at all and that is said once") {
    for (const wchar_t* const number : {L"1", L"3", L"8", L"21", L"55"}) {
        CAPTURE(number);
        CHECK(times(run(L"quiet|strict", {number, L"on"}), lost) == 1);
    }
    CHECK(times(run(L"strict", {L"34", L"on"}), lost) == 1);
}
