// The small client, when it cannot have what it needs.

#include "common/address.hpp"
#include "common/unique.hpp"
#include "common/winsock.hpp"
#include "tests/support/child.hpp"

#include <winsock2.h>

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

namespace {

std::filesystem::path beside_this_program(const wchar_t* name) {
    std::wstring path(32'768, L'\0');
    path.resize(::GetModuleFileNameW(nullptr, path.data(), static_cast<DWORD>(path.size())));
    return std::filesystem::path(path).replace_filename(name);
}

} // namespace

TEST_CASE("talk says in one line that it got no thread and ends with status 1") {
    const iocp::winsock winsock;
    const iocp::unique_socket listener{::socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)};
    const iocp::address any{"127.0.0.1", 0};
    REQUIRE(::bind(listener.get(), any.get(), any.length()) == 0);
    REQUIRE(::listen(listener.get(), 1) == 0);
    const std::string where = iocp::local_address(listener.get()).text();

    REQUIRE(::SetEnvironmentVariableA("IOCP_FAULTS", "thread:8:1"));
    const std::string port = where.substr(where.find(':') + 1);
    support::child talk(
        support::quoted({beside_this_program(L"talk_faulty.exe").wstring(), L"--port", {port.begin(), port.end()}}), 0);
    REQUIRE(::SetEnvironmentVariableA("IOCP_FAULTS", nullptr));
    const std::optional<DWORD> status = talk.wait(support::deadline());
    const std::string error = talk.err().text();
    CAPTURE(error);
    REQUIRE(status.has_value());
    CHECK(*status == 1);
    CHECK(error.find("\nstd::thread: ") != std::string::npos);
    CHECK(error.find("terminate") == std::string::npos);
}
