// Rows about files and named pipes on a port.

#include "row.hpp"

#include "common/port.hpp"
#include "common/unique.hpp"

#include <winsock2.h>

#include <windows.h>

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

namespace {

constexpr DWORD deadline_ms = 5000;
constexpr DWORD a_moment_ms = 200; // to say that no packet comes

iocp::unique_handle on_port(HANDLE made, const iocp::unique_handle& port) {
    REQUIRE(made != INVALID_HANDLE_VALUE);
    iocp::unique_handle handle{made};
    iocp::associate(reinterpret_cast<SOCKET>(made), port);
    return handle;
}

std::wstring own_name(const wchar_t* what) {
    return what + std::to_wstring(::GetCurrentProcessId());
}

// What the call says, 0 for success.
DWORD code_of(BOOL ok) {
    return ok ? ERROR_SUCCESS : ::GetLastError();
}

// With what a packet comes; "none" when none does.
std::string packet_of(const iocp::unique_handle& port, DWORD milliseconds) {
    const iocp::packet packet = iocp::dequeue(port, milliseconds);
    return packet.overlapped == nullptr ? "none" : std::to_string(packet.ended.error);
}

} // namespace

TEST_CASE("how a read of a file on a port is reported") {
    const iocp::unique_handle port = iocp::make_port(0);
    const std::filesystem::path path = std::filesystem::temp_directory_path() / own_name(L"iocp_probe_");
    const iocp::unique_handle file =
        on_port(::CreateFileW(path.c_str(), GENERIC_READ | GENERIC_WRITE, 0, nullptr, CREATE_ALWAYS,
                              FILE_FLAG_OVERLAPPED | FILE_FLAG_DELETE_ON_CLOSE, nullptr),
                port);
    OVERLAPPED operation{};
    const DWORD written = code_of(::WriteFile(file.get(), "hello", 5, nullptr, &operation));
    REQUIRE((written == ERROR_SUCCESS || written == ERROR_IO_PENDING));
    REQUIRE(packet_of(port, deadline_ms) == "0");

    char room[16];
    operation = {};
    const DWORD read = code_of(::ReadFile(file.get(), room, sizeof room, nullptr, &operation));
    REQUIRE((read == ERROR_SUCCESS || read == ERROR_IO_PENDING));
    REQUIRE(packet_of(port, deadline_ms) == "0"); // however it was reported
    probe::compare({"row/readfile-of-a-file-on-a-port/read", "a read of a cached file says", "997", ""},
                   std::to_string(read));

    operation = {};
    operation.Offset = 5; // the end
    const DWORD end = code_of(::ReadFile(file.get(), room, sizeof room, nullptr, &operation));
    const std::string packet = packet_of(port, end == ERROR_IO_PENDING ? deadline_ms : a_moment_ms);
    probe::compare({"row/readfile-of-a-file-on-a-port/end", "the end of a file on a port is told by",
                    "997 and a packet of 38", ""},
                   std::to_string(end) + (packet == "none" ? " and no packet" : " and a packet of " + packet));
}

TEST_CASE("how a message of a pipe that is too long is reported") {
    const iocp::unique_handle port = iocp::make_port(0);
    const std::wstring path = L"\\\\.\\pipe\\" + own_name(L"iocp_probe_");
    const iocp::unique_handle ours =
        on_port(::CreateNamedPipeW(path.c_str(), PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED,
                                   PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE, 1, 4096, 4096, 0, nullptr),
                port);
    const HANDLE client =
        ::CreateFileW(path.c_str(), GENERIC_READ | GENERIC_WRITE, 0, nullptr, OPEN_EXISTING, 0, nullptr);
    REQUIRE(client != INVALID_HANDLE_VALUE);
    const iocp::unique_handle theirs{client};
    OVERLAPPED operation{};
    CHECK(code_of(::ConnectNamedPipe(ours.get(), &operation)) == ERROR_PIPE_CONNECTED);
    CHECK(packet_of(port, a_moment_ms) == "none");

    DWORD bytes = 0;
    REQUIRE(::WriteFile(client, "hello", 5, &bytes, nullptr));
    char room[4];
    operation = {};
    const DWORD read = code_of(::ReadFile(ours.get(), room, sizeof room, nullptr, &operation));
    const std::string packet = packet_of(port, read == ERROR_IO_PENDING ? deadline_ms : a_moment_ms);
    probe::compare({"row/readfile-of-a-message-that-is-longer-than-the-room-on-a-port",
                    "a message that is longer than the room is told by", "234 and a packet of 234", ""},
                   std::to_string(read) + (packet == "none" ? " and no packet" : " and a packet of " + packet));
}
