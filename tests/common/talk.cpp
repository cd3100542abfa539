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

namespace {

struct waiting_read {
    HANDLE from = nullptr;
    DWORD code = ERROR_SUCCESS;
};

DWORD WINAPI read_one_byte(void* context) {
    auto& one = *static_cast<waiting_read*>(context);
    char byte = 0;
    DWORD count = 0;
    one.code = ::ReadFile(one.from, &byte, 1, &count, nullptr) ? ERROR_SUCCESS : ::GetLastError();
    return 0;
}

} // namespace

TEST_CASE("a blocking read of another thread ends with 995 when it is cancelled") {
    HANDLE reads = nullptr;
    HANDLE writes = nullptr; // stays open: nothing else ends the read
    REQUIRE(::CreatePipe(&reads, &writes, nullptr, 0));
    waiting_read one{reads};
    const iocp::unique_handle thread{::CreateThread(nullptr, 0, read_one_byte, &one, 0, nullptr)};
    REQUIRE(thread);
    const support::deadline until;
    DWORD ended = WAIT_TIMEOUT;
    while (ended == WAIT_TIMEOUT && !until.passed()) {
        if (!::CancelSynchronousIo(thread.get())) {
            CHECK(::GetLastError() == ERROR_NOT_FOUND); // it is not in its read yet
        }
        ended = ::WaitForSingleObject(thread.get(), 10);
    }
    CHECK(ended == WAIT_OBJECT_0);
    CHECK(one.code == ERROR_OPERATION_ABORTED);
    ::CloseHandle(writes);
    ::CloseHandle(reads);
}

TEST_CASE("talk ends when the server has closed although nobody types") {
    const iocp::winsock winsock;
    const iocp::unique_socket listener{::socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)};
    const iocp::address any{"127.0.0.1", 0};
    REQUIRE(::bind(listener.get(), any.get(), any.length()) == 0);
    REQUIRE(::listen(listener.get(), 1) == 0);
    const std::string where = iocp::local_address(listener.get()).text();
    const std::string port = where.substr(where.find(':') + 1);
    support::child talk( // its standard input is a pipe that we keep open
        support::quoted({beside_this_program(L"talk.exe").wstring(), L"--port", {port.begin(), port.end()}}), 0);
    iocp::unique_socket client{::accept(listener.get(), nullptr, nullptr)};
    REQUIRE(client);
    REQUIRE(talk.err().line_beginning("connected to ", support::deadline()).has_value());
    client.reset();
    const std::optional<DWORD> status = talk.wait(support::deadline());
    REQUIRE(status.has_value());
    CHECK(*status == 0);
    const std::string error = talk.err().text();
    CHECK_MESSAGE(error.find("the server has closed the connection") != std::string::npos, error);
    CHECK_MESSAGE(error.find("995") == std::string::npos, error);
}
