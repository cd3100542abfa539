// offset-forgotten: two reads of a file, one after the other, and neither says where.
//
// A file that was opened for overlapped operations has no position that moves on. Where a read begins stands in its
// OVERLAPPED, and there it is 0, again and again.

#include "pair.hpp"

#include <filesystem>
#include <string>

using namespace programs;

namespace {

constexpr DWORD piece = 4;

// [file]
struct file {
    iocp::unique_handle handle;
    iocp::unique_handle port;
    OVERLAPPED overlapped{};
    char room[piece];
};

std::string read(file& one, DWORD offset) {
    one.overlapped = {};
    one.overlapped.Offset = offset;
    check(::ReadFile(one.handle.get(), one.room, piece, nullptr, &one.overlapped) ||
              ::GetLastError() == ERROR_IO_PENDING,
          "ReadFile");
    dequeue(one.port);
    return {one.room, piece};
}
// [/file]

// [wrong]
std::string read_both(file& one) {
    const std::string first = read(one, 0);
    return first + read(one, 0);
}
// [/wrong]

// [right]
std::string read_both_right(file& one) {
    const std::string first = read(one, 0);
    return first + read(one, piece); // where the first one has ended
}
// [/right]

void open(file& one) {
    const std::filesystem::path path =
        std::filesystem::temp_directory_path() / (L"iocp_offset_forgotten_" + std::to_wstring(::GetCurrentProcessId()));
    const HANDLE made = ::CreateFileW(path.c_str(), GENERIC_READ | GENERIC_WRITE, 0, nullptr, CREATE_ALWAYS,
                                      FILE_FLAG_OVERLAPPED | FILE_FLAG_DELETE_ON_CLOSE, nullptr);
    check(made != INVALID_HANDLE_VALUE, "CreateFileW");
    one.handle.reset(made);
    one.port = iocp::make_port(0);
    iocp::associate(reinterpret_cast<SOCKET>(made), one.port);
    check(::WriteFile(made, "one two ", 2 * piece, nullptr, &one.overlapped) || ::GetLastError() == ERROR_IO_PENDING,
          "WriteFile");
    dequeue(one.port);
}

void run_with(std::string (*both)(file&)) {
    file one;
    open(one);
    const std::string came = both(one);
    if (came == "one two ") {
        well("The file is \"one two \", and so it was read.");
    } else {
        harm("The file is \"one two \". What was read is \"" + came + "\".");
    }
}

} // namespace

int main(int argc, char** argv) {
    return run(argc, argv, {{"wrong", [] { run_with(read_both); }}, {"right", [] { run_with(read_both_right); }}});
}
