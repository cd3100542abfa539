// The encore files: a server that gives the files of one folder, to sockets and to pipes.

#include "tests/support/cases.hpp"
#include "tests/support/chapter.hpp"
#include "tests/support/pattern.hpp"
#include "tests/support/server.hpp"

#include <doctest/doctest.h>

#include <winsock2.h>

#include <windows.h>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

using namespace support;

constinit const chapter_info support::chapter{.number = encore, .name = "files"};

namespace {

constexpr std::string_view refused = "error 123\n"; // ERROR_INVALID_NAME
constexpr std::string_view not_found = "error 2\n";

// A folder for one case, with something beside it that nobody is to get.
struct shared_folder {
    shared_folder() {
        std::filesystem::create_directories(inside);
        put("small.txt", "hello\n");
        put("empty.txt", "");
        put("large.bin", pattern(1'000'000));
        put("\u00fcbung.txt", "umlaut");
        std::ofstream{root / "secret.txt"} << "secret";
    }
    ~shared_folder() {
        std::error_code ignored;
        std::filesystem::remove_all(root, ignored);
    }
    shared_folder(const shared_folder&) = delete;
    shared_folder& operator=(const shared_folder&) = delete;

    void put(const std::string& name, std::string_view bytes) const {
        std::ofstream file{inside / std::filesystem::path{std::u8string{name.begin(), name.end()}}, std::ios::binary};
        file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    }

    std::vector<std::wstring> options(std::vector<std::wstring> more = {}) const {
        more.insert(more.end(), {L"--folder", inside.wstring()});
        return more;
    }

    std::filesystem::path root =
        std::filesystem::temp_directory_path() / (L"iocp_files_" + std::to_wstring(::GetCurrentProcessId()));
    std::filesystem::path inside = root / L"shared";
};

std::string line_of(client& one) {
    std::string line;
    do {
        line += one.receive_exactly(1);
    } while (line.back() != '\n');
    return line;
}

// What an answer of `ok` is, for these bytes.
std::string whole(std::string_view bytes) {
    return "ok " + std::to_string(bytes.size()) + "\n" + std::string{bytes};
}

void check_gets(client& one, const std::string& name, std::string_view answer) {
    CAPTURE(name);
    one.send_all(name + "\n");
    check_same(one.receive_exactly(answer.size()), answer);
}

void check_gets_all_kinds(const endpoint& where) {
    client one{where};
    check_gets(one, "small.txt", whole("hello\n"));
    check_gets(one, "empty.txt", whole(""));
    check_gets(one, "large.bin", whole(pattern(1'000'000)));
    check_gets(one, "\u00fcbung.txt", whole("umlaut"));
    check_gets(one, "missing.txt", not_found);
    check_gets(one, "small.txt\r", whole("hello\n"));
    check_gets(one, "small.txt\nsmall.txt", whole("hello\n") + whole("hello\n"));
}

std::wstring pipe_name() {
    return L"iocp_files_" + std::to_wstring(::GetCurrentProcessId());
}

// A client with a pipe. Its calls wait.
class pipe_end {
public:
    pipe_end() {
        const std::wstring path = L"\\\\.\\pipe\\" + pipe_name();
        const deadline until;
        DWORD code = ERROR_SUCCESS;
        do {
            pipe_ = ::CreateFileW(path.c_str(), GENERIC_READ | GENERIC_WRITE, 0, nullptr, OPEN_EXISTING, 0, nullptr);
            code = ::GetLastError();
            // 2: the server has not made the first one yet; 231: the next one is not there yet.
        } while (pipe_ == INVALID_HANDLE_VALUE && (code == ERROR_FILE_NOT_FOUND || code == ERROR_PIPE_BUSY) &&
                 !until.passed());
        REQUIRE(pipe_ != INVALID_HANDLE_VALUE);
    }
    ~pipe_end() { ::CloseHandle(pipe_); }
    pipe_end(const pipe_end&) = delete;
    pipe_end& operator=(const pipe_end&) = delete;

    void say(std::string_view message) const {
        DWORD bytes = 0;
        REQUIRE(::WriteFile(pipe_, message.data(), static_cast<DWORD>(message.size()), &bytes, nullptr));
        REQUIRE(bytes == message.size());
    }

    std::string receive(std::size_t count) const {
        std::string came(count, '\0');
        std::size_t have = 0;
        while (have < count) {
            DWORD bytes = 0;
            REQUIRE(::ReadFile(pipe_, came.data() + have, static_cast<DWORD>(count - have), &bytes, nullptr));
            have += bytes;
        }
        return came;
    }

    void check_gets(const std::string& name, std::string_view answer) const {
        say(name + "\n");
        check_same(receive(answer.size()), answer);
    }

private:
    HANDLE pipe_ = INVALID_HANDLE_VALUE;
};

std::vector<std::string> lines_of(const std::filesystem::path& path) {
    std::ifstream file{path};
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) {
        lines.push_back(line);
    }
    return lines;
}

// Each has a thread. A check that fails there has said so.
template <class Work>
void at_the_same_time(std::size_t count, Work work) {
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < count; ++i) {
        threads.emplace_back([&work, i] {
            try {
                work(i);
            } catch (const std::exception& problem) {
                CHECK_MESSAGE(false, problem.what());
            } catch (...) { // a REQUIRE
            }
        });
    }
    for (std::thread& one : threads) {
        one.join();
    }
}

} // namespace

TEST_CASE("a client gets the files that it names one after the other") {
    const shared_folder folder;
    server running{folder.options()};
    check_gets_all_kinds(running.where());
    check_stops(running);
    CHECK_MESSAGE(running.err().empty(), "it complains: " << running.err());
}

TEST_CASE("TransmitFile gives the same files") {
    const shared_folder folder;
    server running{folder.options({L"--transmit"})};
    check_gets_all_kinds(running.where());
    check_stops(running);
    CHECK_MESSAGE(running.err().empty(), "it complains: " << running.err());
}

TEST_CASE("no name leads out of the folder") {
    const shared_folder folder;
    server running{folder.options()};
    client one{running.where()};
    for (const char* name : {"../secret.txt", "..\\secret.txt", "..", ".", "", "C:\\windows\\win.ini",
                             "small.txt:stream", "sub/small.txt", "small.txt\\", "*", "\xff\xfe", "a\tb"}) {
        check_gets(one, name, refused);
    }
    check_gets(one, "NUL", not_found); // a name like any other
    check_gets(one, std::string(5000, 'x'), refused);
    check_gets(one, "small.txt", whole("hello\n"));
    check_stops(running);
}

TEST_CASE("a pipe gives the same files as a socket") {
    const shared_folder folder;
    server running{folder.options({L"--pipe", pipe_name()})};
    {
        const pipe_end one;
        const pipe_end other; // at the same time
        one.check_gets("small.txt", whole("hello\n"));
        other.check_gets("large.bin", whole(pattern(1'000'000)));
        one.check_gets("..\\secret.txt", refused);
        one.check_gets("empty.txt", whole(""));
    }
    for (int i = 0; i < 20; ++i) {
        const pipe_end next;
        next.check_gets("small.txt", whole("hello\n"));
    }
    client with_socket{running.where()};
    check_gets(with_socket, "small.txt", whole("hello\n"));
    check_stops(running);
    CHECK_MESSAGE(running.err().empty(), "it complains: " << running.err());
}

TEST_CASE("clients of a pipe that are there before anybody waits for them are served") {
    const shared_folder folder;
    server running{folder.options({L"--pipe", pipe_name()})};
    at_the_same_time(6, [](std::size_t) { // each tries again at once: some meet an instance that was just made
        for (int i = 0; i < 40; ++i) {
            const pipe_end one;
            one.check_gets("small.txt", whole("hello\n"));
        }
    });
    check_stops(running);
    CHECK_MESSAGE(running.err().empty(), "it complains: " << running.err());
}

TEST_CASE("clients of a pipe that leave at once do not close the door for the others") {
    const shared_folder folder;
    server running{folder.options({L"--pipe", pipe_name()})};
    at_the_same_time(6, [](std::size_t) { // some open and close an instance before anybody waits on it
        for (int i = 0; i < 100; ++i) {
            const pipe_end leaves;
        }
    });
    const pipe_end stays;
    stays.check_gets("small.txt", whole("hello\n"));
    check_stops(running);
    CHECK_MESSAGE(running.err().empty(), "it complains: " << running.err());
}

TEST_CASE("a message that is longer than the room for it is read to its end") {
    const shared_folder folder;
    server running{folder.options({L"--pipe", pipe_name()})};
    const pipe_end one;
    one.check_gets(std::string(600, 'x'), refused); // 234 twice
    one.check_gets("small.txt", whole("hello\n"));
    check_stops(running);
}

TEST_CASE("a message of no bytes is not the end of a pipe") {
    const shared_folder folder;
    server running{folder.options({L"--pipe", pipe_name()})};
    const pipe_end one;
    one.say("");
    one.check_gets("small.txt", whole("hello\n"));
    one.say("small");
    one.say("");
    one.check_gets(".txt", whole("hello\n"));
    check_stops(running);
    CHECK_MESSAGE(running.err().empty(), "it complains: " << running.err());
}

TEST_CASE("a file that becomes shorter while it is sent costs one client and is told by 38") {
    const shared_folder folder;
    folder.put("shrinks.bin", "");
    const std::filesystem::path path = folder.inside / "shrinks.bin";
    std::filesystem::resize_file(path, more_than_fits);
    server running{folder.options()};
    client one{running.where(), small_buffer};
    one.send_all("shrinks.bin\n");
    require_same(line_of(one), "ok " + std::to_string(more_than_fits) + "\n");
    std::filesystem::resize_file(path, 0); // and the server is in the middle of it
    const rest_of_stream rest = one.receive_until_end();
    CHECK(rest.bytes.size() < more_than_fits);
    REQUIRE(running.error_beginning("ReadFile: 38 "));
    client next{running.where()};
    check_gets(next, "small.txt", whole("hello\n"));
    check_stops(running);
}

TEST_CASE("each answer has a line in the log and none is torn") {
    const shared_folder folder;
    const std::filesystem::path log = folder.root / "log.txt";
    server running{folder.options({L"--log", log.wstring()})};
    constexpr std::size_t clients = 8;
    constexpr std::size_t each = 20;
    const auto name = [](std::size_t i) { return std::string(1 + 7 * i, static_cast<char>('a' + i)); };
    for (std::size_t i = 0; i < clients; ++i) {
        folder.put(name(i), "x");
    }
    at_the_same_time(clients, [&](std::size_t i) {
        client one{running.where()};
        for (std::size_t k = 0; k < each; ++k) {
            one.send_all(name(i) + "\n");
            check_same(one.receive_exactly(6), "ok 1\nx");
        }
    });
    check_stops(running);
    const std::vector<std::string> lines = lines_of(log);
    REQUIRE(lines.size() == 1 + clients * each);
    CHECK(lines[0] == "the log begins");
    for (std::size_t i = 0; i < clients; ++i) {
        CHECK(std::count(lines.begin(), lines.end(), name(i) + ": ok 1") == each);
    }
}

TEST_CASE("Ctrl+C ends it with a transfer and a pipe and a waiting instance in flight") {
    const shared_folder folder;
    folder.put("huge.bin", "");
    std::filesystem::resize_file(folder.inside / "huge.bin", more_than_fits);
    for (const bool transmit : {false, true}) {
        CAPTURE(transmit);
        std::vector<std::wstring> options{L"--pipe", pipe_name()};
        if (transmit) {
            options.emplace_back(L"--transmit");
        }
        server running{folder.options(options)};
        client never_reads{running.where(), small_buffer};
        never_reads.send_all("huge.bin\n");
        require_same(line_of(never_reads), "ok " + std::to_string(more_than_fits) + "\n");
        const pipe_end silent;
        silent.say("huge.bin\n");
        silent.receive(3);
        check_stops(running);
        CHECK_MESSAGE(running.err().empty(), "it complains: " << running.err());
    }
}

TEST_CASE("it says in one line what it cannot do without") {
    const finished_program without = run_to_end({L"--port", L"0"});
    check_status(without.status, 2);
    check_one_line(without.err, "its error");
    const finished_program wrong = run_to_end({L"--port", L"0", L"--folder", L"Z:\\no\\such\\folder"});
    check_status(wrong.status, 1);
    check_one_line(wrong.err, "its error");
    CHECK(wrong.out.empty());
}

TEST_SUITE_BEGIN("long");

TEST_CASE("a hundred clients get a large file each at the same time") {
    const shared_folder folder;
    for (const bool transmit : {false, true}) {
        CAPTURE(transmit);
        server running{
            folder.options(transmit ? std::vector<std::wstring>{L"--transmit"} : std::vector<std::wstring>{})};
        std::vector<client> clients;
        for (int i = 0; i < 100; ++i) {
            clients.emplace_back(running.where());
            clients.back().send_all("large.bin\n");
        }
        const std::string all = whole(pattern(1'000'000));
        for (client& one : clients) {
            require_same(one.receive_exactly(all.size()), all);
        }
        check_stops(running);
    }
}

TEST_SUITE_END();
