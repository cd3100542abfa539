// The outputs of the watch: what records and findings made by hand turn into. Whole files are compared with those in
// expected/, which check_traces looks at as well.

#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include "common/watch/error_names.hpp"
#include "common/watch/json.hpp"
#include "common/watch/outputs.hpp"
#include "common/watch/symbols.hpp"
#include "tests/watch/outputs/story.hpp"

#include <winsock2.h>

#include <windows.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace iocp::watch;
using namespace std::chrono_literals;

constexpr auto long_enough = 20s; // for anything that has to happen

std::string contents(const std::filesystem::path& path) {
    std::ifstream file{path, std::ios::binary};
    REQUIRE_MESSAGE(file, path.string());
    std::string text{std::istreambuf_iterator<char>{file}, {}};
    std::erase(text, '\r'); // what git may have put into the expected files
    return text;
}

std::string expected(const char* name) {
    return contents(std::filesystem::path{SOURCE_FOLDER} / "tests/watch/outputs/expected" / name);
}

// A folder of its own for each test, which is removed at the end.
class folder {
public:
    folder() {
        static int count = 0;
        path_ = std::filesystem::temp_directory_path() /
                ("watch_outputs_" + std::to_string(::GetCurrentProcessId()) + "_" + std::to_string(++count));
        std::filesystem::create_directories(path_);
    }
    ~folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    folder(const folder&) = delete;
    folder& operator=(const folder&) = delete;

    std::filesystem::path operator/(const char* name) const { return path_ / name; }

private:
    std::filesystem::path path_;
};

// Standard error leads elsewhere while one of these lives.
class redirected {
public:
    explicit redirected(HANDLE to) : before_(::GetStdHandle(STD_ERROR_HANDLE)) {
        REQUIRE(::SetStdHandle(STD_ERROR_HANDLE, to));
    }
    ~redirected() { ::SetStdHandle(STD_ERROR_HANDLE, before_); }
    redirected(const redirected&) = delete;
    redirected& operator=(const redirected&) = delete;

private:
    HANDLE before_;
};

// A pipe with little room, which nobody reads until drain() is called.
class narrow_pipe {
public:
    narrow_pipe() { REQUIRE(::CreatePipe(&read_, &write_, nullptr, 4096)); }
    ~narrow_pipe() {
        drain();
        ::CloseHandle(std::exchange(write_, nullptr));
        reader_.join();
        ::CloseHandle(read_);
    }
    narrow_pipe(const narrow_pipe&) = delete;
    narrow_pipe& operator=(const narrow_pipe&) = delete;

    HANDLE write_end() const { return write_; }
    void drain() {
        if (!reader_.joinable()) {
            reader_ = std::thread{[this] {
                std::array<char, 65'536> text{};
                DWORD bytes = 0;
                while (::ReadFile(read_, text.data(), static_cast<DWORD>(text.size()), &bytes, nullptr)) {
                }
            }};
        }
    }

private:
    HANDLE read_ = nullptr;
    HANDLE write_ = nullptr;
    std::thread reader_;
};

// What comes out of one run of the outputs.
struct written {
    std::string error;
    std::string trace;
    std::string chrome;
};

written written_by(settings wanted, const std::function<void(outputs&)>& program) {
    const folder here;
    const std::filesystem::path error = here / "error.txt";
    const std::filesystem::path trace = here / "trace.jsonl";
    const HANDLE file = ::CreateFileW(error.c_str(), GENERIC_WRITE, FILE_SHARE_READ, nullptr, CREATE_ALWAYS,
                                      FILE_ATTRIBUTE_NORMAL, nullptr);
    REQUIRE(file != INVALID_HANDLE_VALUE);
    {
        const redirected to_file{file};
        wanted.trace = trace.wstring();
        outputs out{std::move(wanted)};
        program(out);
        out.finish(true);
    }
    ::CloseHandle(file);
    return {contents(error), contents(trace), contents(here / "trace.jsonl.chrome.json")};
}

void tell_all(outputs& out) {
    for (const record& one : story::whole()) {
        out.take(one);
    }
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = text.find('\n', begin);
        REQUIRE(end != std::string::npos); // a line that is not whole
        lines.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return lines;
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

std::size_t count_of(const std::string& text, const std::string& part) {
    std::size_t count = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
        ++count;
    }
    return count;
}

// Where this is called from, by way of somewhere().
struct place {
    call_stack calls{};
    std::uint32_t line = 0;
};

place somewhere() {
    place here;
    here.line = __LINE__ + 1;
    ::RtlCaptureStackBackTrace(0, static_cast<DWORD>(here.calls.size()), here.calls.data(), nullptr);
    return here;
}

// Called through these, so that the compiler cannot see what it could leave out.
place (*volatile far_call)() = somewhere;

finding found_something() {
    return {.what = &checks::overlapped_reused,
            .nanoseconds = 3'600'000,
            .thread = 2,
            .text = "WSARecv on s2 takes what operation #1 still has",
            .operation = 1,
            .socket = 2};
}

settings read(const wchar_t* value) {
    ::SetEnvironmentVariableW(L"IOCP_WATCH", value);
    return settings::from_environment();
}

} // namespace

TEST_CASE("without the variable the watch narrates and does nothing else") {
    const settings plain = read(nullptr);
    CHECK_FALSE(plain.strict);
    CHECK_FALSE(plain.quiet);
    CHECK_FALSE(plain.colour);
    CHECK_FALSE(plain.hash_sends);
    CHECK(plain.only.empty());
    CHECK(plain.trace.empty());
    CHECK(plain.tell == nullptr);
}

TEST_CASE("every word of the variable is read and the variable is gone") {
    const settings all = read(L"strict|quiet|colour|only=socket=3,5|trace=C:\\a b\\t=1,2.jsonl|hash-sends|tell=1234");
    CHECK(all.strict);
    CHECK(all.quiet);
    CHECK(all.colour);
    CHECK(all.hash_sends);
    CHECK(all.only == std::vector<std::uint32_t>{3, 5});
    CHECK(all.trace == L"C:\\a b\\t=1,2.jsonl");
    CHECK(reinterpret_cast<std::uintptr_t>(all.tell) == 1234);
    CHECK(::GetEnvironmentVariableW(L"IOCP_WATCH", nullptr, 0) == 0);
    CHECK(::GetLastError() == ERROR_ENVVAR_NOT_FOUND);
}

TEST_CASE("words that the watch does not know are left out of account") {
    const settings some = read(L"||Strict|only=port=1|only=socket=,x,-1,7|tell=12z|trace");
    CHECK_FALSE(some.strict);
    CHECK(some.only == std::vector<std::uint32_t>{7});
    CHECK(some.tell == nullptr);
    CHECK(some.trace.empty());
}

TEST_CASE("a run is told line by line and written as a trace and in Chrome's format") {
    const written all = written_by({}, tell_all);
    CHECK(lines_of(all.error) == lines_of(expected("whole.txt")));
    CHECK(lines_of(all.trace) == lines_of(expected("whole.jsonl")));
    CHECK(lines_of(all.chrome) == lines_of(expected("whole.jsonl.chrome.json")));
}

TEST_CASE("a quiet run without findings says nothing") {
    settings quiet;
    quiet.quiet = true;
    const written all = written_by(quiet, tell_all);
    CHECK(all.error.empty());
    CHECK(lines_of(all.trace) == lines_of(expected("whole.jsonl")));
}

TEST_CASE("with colours the lines are the same but for the escapes") {
    settings coloured;
    coloured.colour = true;
    std::string text = written_by(coloured, tell_all).error;
    CHECK(has(text, "\x1b[33mlent OVERLAPPED, buffer 88 B\x1b[0m"));
    CHECK(has(text, "\x1b[32mback OVERLAPPED, buffer 88 B\x1b[0m"));
    CHECK(has(text, "\x1b[31mfailed 10054 WSAECONNRESET\x1b[0m"));
    for (std::size_t at = text.find('\x1b'); at != std::string::npos; at = text.find('\x1b')) {
        text.erase(at, text.find('m', at) + 1 - at);
    }
    CHECK(lines_of(text) == lines_of(expected("whole.txt")));
}

TEST_CASE("a cancel tells whether what it asked to end still has its memory") {
    const written all = written_by({}, [](outputs& out) {
        record cancel{.kind = record_kind::cancel, .thread = 1, .call = "CancelIoEx", .socket = 2, .operation = 7};
        cancel.result = outcome::ok;
        out.take(cancel);
        cancel.operation = 8;
        cancel.lent = true;
        out.take(cancel);
        cancel.operation = 0;
        cancel.lent = false;
        out.take(cancel);
    });
    CHECK(has(all.error, "#7    CancelIoEx   asked to end, and ended meanwhile"));
    CHECK(has(all.error, "#8    CancelIoEx   asked to end, still lent"));
    CHECK(has(all.error, "CancelIoEx   all of s2 asked to end"));
}

TEST_CASE("only some sockets are told of and everything is in the trace") {
    settings narrow;
    narrow.only = {2};
    const written all = written_by(narrow, tell_all);
    CHECK(all.error.starts_with("watch: echo.exe"));
    CHECK(has(all.error, "AcceptEx     pending")); // s2 is what it is for
    CHECK(has(all.error, "AcceptEx: success"));
    CHECK(has(all.error, "WSASend"));
    CHECK_FALSE(has(all.error, "listen"));
    CHECK_FALSE(has(all.error, "new port"));
    CHECK_FALSE(has(all.error, "posted"));
    CHECK(has(all.error, "8 operations, all back"));
    CHECK(lines_of(all.trace) == lines_of(expected("whole.jsonl")));
}

TEST_CASE("a finding is printed with the places in the source") {
    const place here = far_call();
    const written all = written_by({}, [&](outputs& out) {
        finding found = found_something();
        found.here = here.calls;
        found.submitted = here.calls;
        out.take(found);
        CHECK(out.exact() == 1);
        CHECK(out.heuristic() == 0);
    });
    const std::vector<std::string> lines = lines_of(all.error);
    const std::string place = "somewhere at outputs.cpp:" + std::to_string(here.line);
    REQUIRE(lines.size() > 2);
    CHECK(lines[0] == "watch: [overlapped-reused] exact: WSARecv on s2 takes what operation #1 still has");
    CHECK(lines[1] == "watch:     here:       " + place);
    CHECK(has(all.error, "\nwatch:     submitted:  " + place));
    CHECK(lines.back() == "watch: 1 exact finding, 0 heuristic; 0 operations, all back");
    const std::string frame = R"({"function":"somewhere","file":"outputs.cpp","line":)" + std::to_string(here.line);
    CHECK(has(all.trace, R"("level":"exact","text":"WSARecv on s2 takes what operation #1 still has","operation":1,)"
                         R"("socket":2,"here":[)" +
                             frame));
    CHECK(has(all.chrome, R"("ph":"i","name":"overlapped-reused")"));
}

TEST_CASE("findings are written in a quiet run with the last line") {
    settings quiet;
    quiet.quiet = true;
    const written all = written_by(quiet, [](outputs& out) {
        finding found = found_something();
        found.what = &checks::send_buffer_changed;
        out.take(found);
        found.what = &checks::untracked;
        out.take(found);
        CHECK(out.exact() == 0);
        CHECK(out.heuristic() == 1);
    });
    const std::vector<std::string> lines = lines_of(all.error);
    REQUIRE(lines.size() == 3);
    CHECK(lines[0].starts_with("watch: [send-buffer-changed] heuristic: "));
    CHECK(lines[1].starts_with("watch: [untracked] info: "));
    CHECK(lines[2] == "watch: 0 exact findings, 1 heuristic; 0 operations, all back");
}

TEST_CASE("the call that a finding is about is told before the finding") {
    const written all = written_by({}, [](outputs& out) {
        const std::vector<record> whole = story::whole();
        for (const record& one : whole) {
            out.take(one);
            if (one.kind == record_kind::submit && one.operation == 2) {
                break;
            }
        }
        out.take(found_something());
    });
    const std::vector<std::string> lines = lines_of(all.error);
    REQUIRE(lines.size() > 3);
    CHECK(has(lines[lines.size() - 3], "called, has not returned yet"));
    CHECK(has(lines[lines.size() - 2], "[overlapped-reused]"));
    CHECK(has(lines[lines.size() - 1], "2 operations, 1 not back"));
}

TEST_CASE("the watch's own calls and the system's are left out of a stack and four are enough") {
    const place here = far_call();
    call_stack calls{};
    calls[0] = reinterpret_cast<void*>(::GetProcAddress(::GetModuleHandleW(L"kernel32.dll"), "GetCurrentProcessId"));
    calls[1] = reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(&error_name) + 1);
    for (std::size_t i = 2; i < 10; ++i) {
        calls[i] = here.calls[0];
    }
    symbols names;
    const std::vector<frame> frames = names.frames(calls);
    REQUIRE(frames.size() == 4);
    for (const frame& one : frames) {
        CHECK(words(one) == "somewhere at outputs.cpp:" + std::to_string(here.line));
    }
}

TEST_CASE("a stack ends at main") {
    const place here = far_call();
    symbols names;
    std::vector<frame> frames;
    call_stack rest = here.calls;
    // Four at a time, until there are no more.
    for (std::vector<frame> some = names.frames(rest); !some.empty(); some = names.frames(rest)) {
        frames.insert(frames.end(), some.begin(), some.end());
        std::move(rest.begin() + 4, rest.end(), rest.begin());
        std::fill(rest.end() - 4, rest.end(), nullptr);
        if (some.back().function == "main") {
            break;
        }
    }
    REQUIRE_FALSE(frames.empty());
    CHECK(frames.back().function == "main");
}

TEST_CASE("where there are no symbols a place is a module and an offset") {
    const place here = far_call();
    symbols names;
    names.give_up();
    const std::vector<frame> frames = names.frames(here.calls);
    REQUIRE_FALSE(frames.empty());
    const auto offset =
        reinterpret_cast<std::uintptr_t>(here.calls[0]) - reinterpret_cast<std::uintptr_t>(::GetModuleHandleW(nullptr));
    CHECK(frames[0].function.empty());
    CHECK(frames[0].module == "watch_outputs_tests.exe");
    CHECK(frames[0].offset == offset);
    CHECK(words(frames[0]).starts_with("watch_outputs_tests.exe+0x"));
}

TEST_CASE("where no line is known for sure a place is a function and its module") {
    CHECK(words({.function = "handle", .module = "server.exe", .offset = 77}) == "handle in server.exe");
}

TEST_CASE("a flush returns when everything is written and the files can be read at once") {
    const folder here;
    settings wanted;
    wanted.quiet = true;
    wanted.trace = (here / "t.jsonl").wstring();
    outputs out{wanted};
    const std::vector<record> whole = story::whole();
    for (std::size_t i = 0; i < 10; ++i) {
        out.take(whole[i]);
        out.flush(long_enough);
        CHECK(lines_of(contents(here / "t.jsonl")).size() == i + 1);
        const std::string chrome = contents(here / "t.jsonl.chrome.json");
        CHECK(chrome.starts_with("{\"traceEvents\": [\n"));
        CHECK(chrome.ends_with("}\n]}\n"));
        CHECK(count_of(chrome, "]}") == 1);
    }
}

TEST_CASE("a flush does not wait for longer than it was told") {
    narrow_pipe full;
    const redirected to_pipe{full.write_end()};
    outputs out{{}};
    for (int i = 0; i < 10; ++i) {
        const std::vector<record> whole = story::whole();
        for (std::size_t k = 0; k + 1 < whole.size(); ++k) { // without the end
            out.take(whole[k]);
        }
    }
    out.flush(50ms); // comes back although the writer is stuck: otherwise the test does not end
    full.drain();
    out.flush(long_enough);
    out.finish(true);
}

TEST_CASE("whoever asks for room waits only while very much is to be written") {
    narrow_pipe full;
    const redirected to_pipe{full.write_end()};
    outputs out{{}};
    out.wait_for_room(long_enough); // nothing is to be written
    const record one{.kind = record_kind::thread_end, .thread = 1};
    for (int i = 0; i < 100'000; ++i) {
        out.take(one);
    }
    const auto began = std::chrono::steady_clock::now();
    out.wait_for_room(50ms);
    CHECK(std::chrono::steady_clock::now() - began >= 45ms); // clocks differ a little
    full.drain();
    out.wait_for_room(long_enough);
    CHECK(std::chrono::steady_clock::now() - began < long_enough);
    out.finish(true);
}

TEST_CASE("what many threads tell is written once and in order") {
    constexpr int threads = 4;
    constexpr std::uint64_t each = 2000;
    const written all = written_by({}, [&](outputs& out) {
        std::vector<std::thread> tellers;
        for (std::uint32_t number = 1; number <= threads; ++number) {
            tellers.emplace_back([&out, number] {
                for (std::uint64_t i = 1; i <= each; ++i) {
                    out.take({.kind = record_kind::post, .thread = number, .port = 1, .key = i});
                }
            });
        }
        for (std::thread& one : tellers) {
            one.join();
        }
    });
    std::array<std::uint64_t, threads + 1> next{};
    std::uint64_t n = 0;
    for (const std::string& line : lines_of(all.trace)) {
        const auto number = [&line](const char* field) {
            const std::size_t at = line.find(field);
            REQUIRE(at != std::string::npos);
            return std::stoull(line.substr(at + std::string_view{field}.size()));
        };
        REQUIRE(number("\"n\":") == ++n);
        REQUIRE(number("\"key\":") == ++next.at(number("\"thread\":")));
    }
    CHECK(n == threads * each);
    CHECK(count_of(all.error, " post ") == threads * each);
}

TEST_CASE("after the end of the program nothing is taken") {
    const written all = written_by({}, [](outputs& out) {
        tell_all(out);
        out.take({.kind = record_kind::thread_end, .thread = 1});
        out.take(found_something());
        CHECK(out.exact() == 0);
    });
    CHECK(lines_of(all.trace) == lines_of(expected("whole.jsonl")));
}

TEST_CASE("a trace that cannot be written is told of and the run goes on") {
    const folder here;
    const std::filesystem::path error = here / "error.txt";
    const HANDLE file = ::CreateFileW(error.c_str(), GENERIC_WRITE, FILE_SHARE_READ, nullptr, CREATE_ALWAYS,
                                      FILE_ATTRIBUTE_NORMAL, nullptr);
    {
        const redirected to_file{file};
        settings wanted;
        wanted.trace = (here / "no such folder/t.jsonl").wstring();
        outputs out{wanted};
        tell_all(out);
        out.finish(true);
    }
    ::CloseHandle(file);
    const std::vector<std::string> lines = lines_of(contents(error));
    REQUIRE(lines.size() > 1);
    CHECK(lines[0].starts_with("watch: the trace cannot be written: 3"));
    CHECK(lines.back() == "watch: 0 exact findings, 0 heuristic; 8 operations, all back");
}

TEST_CASE("any text becomes a JSON string") {
    const auto json = [](std::string_view text) {
        std::string to;
        append_json_string(to, text);
        return to;
    };
    CHECK(json("plain") == "\"plain\"");
    CHECK(json("a\"b\\c") == R"("a\"b\\c")");
    CHECK(json({"a\n\x1f\0b", 5}) == R"("a\u000a\u001f\u0000b")");
    CHECK(json("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80") == "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"");
    // What is no UTF-8: each such byte is replaced.
    CHECK(json("\xE9t\xE9") == "\"\xEF\xBF\xBDt\xEF\xBF\xBD\"");
    CHECK(json("\xC3") == "\"\xEF\xBF\xBD\"");
    CHECK(json("\xC0\x80") == "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");
    CHECK(json("\xED\xA0\x80") == "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

TEST_SUITE("long") {
    TEST_CASE("the end does not wait for ever for a terminal that takes nothing") {
        narrow_pipe full;
        const redirected to_pipe{full.write_end()};
        outputs out{{}};
        for (int i = 0; i < 1000; ++i) {
            out.take({.kind = record_kind::thread_end, .thread = 1});
        }
        out.finish(true); // comes back although the writer is stuck
        full.drain();
    }
}
