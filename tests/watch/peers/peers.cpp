// Other people's servers under the watch: libraries that are in use everywhere keep the rules, so each finding about
// them is a false alarm. Each server is first put under the same load without the watch.

#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include "tests/support/child.hpp"
#include "tests/support/client.hpp"
#include "tests/support/failure.hpp"
#include "tests/support/flood.hpp"
#include "tests/support/pattern.hpp"
#include "tests/support/swarm.hpp"

#include <winsock2.h>

#include <windows.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

using namespace support;

namespace {

// A receive buffer that fills the way back soon.
constexpr int small_buffer = 8192;
// More than the buffers of two sockets hold.
constexpr std::size_t more_than_fits = 64U << 20;

std::filesystem::path own_folder() {
    std::array<wchar_t, 4096> buffer{};
    const DWORD length = ::GetModuleFileNameW(nullptr, buffer.data(), static_cast<DWORD>(buffer.size()));
    if (length == 0 || length == buffer.size()) {
        throw failure("GetModuleFileNameW", ::GetLastError());
    }
    return std::filesystem::path(buffer.data()).parent_path();
}

// A server on a free port, started through ctrl_c.exe, which presses Ctrl+C for it. With words for the watch that
// starts it.
class peer {
public:
    peer(const wchar_t* program, const std::vector<std::wstring>& watch)
        : helper_(command_line(program, watch), CREATE_NO_WINDOW) {
        const deadline until;
        // The helper's own line comes first.
        const std::optional<std::string> first = helper_.out().line(1, until);
        constexpr std::string_view start = "listening on ";
        if (!first || !first->starts_with(start)) {
            helper_.end_all();
            throw failure("no server: it wrote \"" + helper_.out().text() + "\" and \"" + err() + "\"");
        }
        where_ = parse_endpoint(std::string_view(*first).substr(start.size()));
    }

    const endpoint& where() const { return where_; }

    // Nothing when it did not end.
    std::optional<DWORD> end() {
        helper_.write("c");
        return helper_.wait(deadline());
    }

    std::string err() const { return helper_.err().text(); }

private:
    static std::wstring command_line(const wchar_t* program, const std::vector<std::wstring>& watch) {
        const std::filesystem::path folder = own_folder();
        std::vector<std::wstring> words{(folder / "ctrl_c.exe").wstring()};
        if (!watch.empty()) {
            words.push_back((folder / "watch.exe").wstring());
            words.insert(words.end(), watch.begin(), watch.end());
        }
        words.insert(words.end(), {(folder / program).wstring(), L"--port", L"0", L"--threads", L"4"});
        return quoted(words);
    }

    child helper_;
    endpoint where_;
};

// A file that goes with this object.
class scratch_file {
public:
    explicit scratch_file(const std::wstring& name) : path_(own_folder() / name) {}

    ~scratch_file() {
        std::error_code ignored;
        std::filesystem::remove(path_, ignored);
        std::filesystem::remove(chrome(), ignored);
    }

    scratch_file(const scratch_file&) = delete;
    scratch_file& operator=(const scratch_file&) = delete;

    const std::filesystem::path& path() const { return path_; }
    std::filesystem::path chrome() const { return path_.wstring() + L".chrome.json"; }

private:
    std::filesystem::path path_;
};

// The value of a member of one line of JSON, as it is written there; empty when it has no such member.
std::string member(std::string_view line, std::string_view name) {
    const std::string quoted_name = '"' + std::string(name) + '"';
    std::size_t at = line.find(quoted_name);
    if (at == std::string_view::npos) {
        return {};
    }
    at = line.find_first_not_of(" :", at + quoted_name.size());
    return std::string(line.substr(at, line.find_first_of(",}", at) - at));
}

// What a trace tells, counted.
struct seen {
    std::map<std::string, std::size_t> events;
    std::size_t packets_of_operations = 0;
    std::size_t memory_back = 0; // of operations: by a packet, or with the return of the call
    std::string findings;        // their lines
    std::string last;            // the last line

    std::size_t times(const std::string& event) const {
        const auto found = events.find('"' + event + '"');
        return found == events.end() ? 0 : found->second;
    }
};

seen count(const std::filesystem::path& trace) {
    std::ifstream file(trace);
    seen all;
    int closes = 0;
    for (std::string line; std::getline(file, line);) {
        const std::string event = member(line, "event");
        ++all.events[event];
        if (event == "\"packet\"" && !member(line, "operation").empty() && member(line, "posted") != "true") {
            ++all.packets_of_operations;
            ++all.memory_back;
        } else if (event == "\"return\"" && member(line, "back") == "true") {
            ++all.memory_back;
        } else if (event == "\"finding\"") {
            const bool a_close = member(line, "check") == "\"closed-with-unread-input\"" && ++closes == 1;
            all.findings += a_close ? "" : line + '\n'; // see without_closes_at_the_end
        }
        all.last = line;
    }
    return all;
}

// What the watch says on standard error, without one piece of information: a server that ends closes the one client
// that does not read, whether it has received all of that or not.
std::string without_closes_at_the_end(const std::string& said) {
    std::istringstream lines(said);
    std::string kept;
    bool of_a_close = false;
    int closes = 0;
    for (std::string line; std::getline(lines, line);) {
        const bool a_frame = line.starts_with("watch:     ");
        const bool a_close = line.starts_with("watch: [closed-with-unread-input]") && ++closes == 1;
        of_a_close = a_close || (of_a_close && a_frame);
        kept += of_a_close || line.empty() ? "" : line + '\n';
    }
    return kept;
}

// Clients of every kind. Each byte that comes back is compared.
void load(const endpoint& where) {
    client silent(where);
    client never_reads(where, small_buffer);
    const std::size_t taken = never_reads.fill(more_than_fits);
    REQUIRE(taken < more_than_fits);

    INFO("fifty clients at once, 1 MiB each way, each half-closes");
    echo_at_once(where, 50, 1U << 20, 60s);
    INFO("three hundred clients at once");
    echo_at_once(where, 300, 2'000, 60s);

    INFO("bursts of small messages");
    std::vector<client> crowd;
    for (int i = 0; i < 20; ++i) {
        crowd.emplace_back(where);
    }
    for (std::size_t burst = 0; burst < 10; ++burst) {
        const std::string sent = pattern(100 * 50, burst);
        for (client& one : crowd) {
            for (std::size_t at = 0; at < sent.size(); at += 50) {
                one.send_all(std::string_view(sent).substr(at, 50));
            }
        }
        for (client& one : crowd) {
            REQUIRE(one.receive_exactly(sent.size()) == sent);
        }
    }

    INFO("comings and goings beside clients that keep it busy");
    {
        const flood busy(where, 4);
        const std::string some = pattern(50'000);
        for (std::size_t i = 0; i < 300; ++i) {
            client one(where);
            const std::string word = pattern(32, i);
            REQUIRE(one.exchange(word) == word);
            if (i % 3 == 0) {
                one.reset();
            } else if (i % 3 == 1) {
                one.shutdown_send();
                REQUIRE(one.receive_until_end().bytes.empty());
            }
        }
        for (int i = 0; i < 50; ++i) {
            client in_the_middle(where);
            in_the_middle.send_all(some);
            REQUIRE_FALSE(in_the_middle.receive_exactly(1).empty());
            in_the_middle.reset();
            client(where).close();
            client(where).reset();
        }
    }

    INFO("a slow reader");
    client slow(where, small_buffer);
    const std::string some = pattern(200'000);
    CHECK_MESSAGE(slow.exchange(some, 700) == some, "the echo for a slow reader came back changed");

    INFO("those that were there from the start");
    CHECK(silent.exchange("at last") == "at last");
    CHECK_MESSAGE(never_reads.receive_exactly(taken) == std::string(taken, 'f'), "the late echo came back changed");
}

// The end comes while one client is silent and another one does not read: a receive and a send are under way.
void end_with_clients(peer& running) {
    client silent(running.where());
    REQUIRE(silent.exchange("here") == "here");
    client never_reads(running.where(), small_buffer);
    REQUIRE(never_reads.fill(more_than_fits) < more_than_fits);

    const std::optional<DWORD> status = running.end();
    INFO("its standard error: ", running.err());
    REQUIRE_MESSAGE(status.has_value(), "it still runs");
    CHECK(*status == 0);
    silent.receive_until_end();
}

void check_alone(const wchar_t* program) {
    peer running(program, {});
    load(running.where());
    end_with_clients(running);
    CHECK(running.err().empty());
}

// Returns what the trace tells.
seen check_under_the_watch(const wchar_t* program) {
    const scratch_file trace(std::wstring(program) + L".trace");
    peer running(program, {L"--strict", L"--quiet", L"--trace", trace.path().wstring()});
    load(running.where());
    end_with_clients(running);
    CHECK_MESSAGE(without_closes_at_the_end(running.err()).empty(), running.err());

    // Without this a watch that sees nothing would pass.
    seen all = count(trace.path());
    std::string counted;
    for (const auto& [event, times] : all.events) {
        counted += event + ' ' + std::to_string(times) + ' ';
    }
    std::printf("%ls: %s\n", program, counted.c_str());
    INFO("the trace: ", counted);
    INFO("its last line: ", all.last);
    CHECK_MESSAGE(all.findings.empty(), all.findings);
    // At least: an accept for each client, and a receive and a send for each message of a burst that came by itself.
    constexpr std::size_t clients = 50 + 300 + 20 + 4 + 300 + 150;
    CHECK(all.times("submit") > 3 * clients);
    CHECK(all.times("return") == all.times("submit"));
    CHECK(all.packets_of_operations > 100);
    // What was submitted came back, one way or the other, but for what was in flight when the program ended.
    CHECK(all.memory_back <= all.times("submit"));
    CHECK(all.memory_back + 10 > all.times("submit"));
    CHECK(member(all.last, "event") == "\"end\"");
    CHECK(member(all.last, "exact") == "0");
    CHECK(member(all.last, "heuristic") == "0");
    CHECK(std::filesystem::file_size(trace.chrome()) > 100'000);
    return all;
}

// Nobody reads what the watch tells as fast as it happens, and all the same the program does what it always does.
void check_narrated(const wchar_t* program) {
    peer running(program, {L"--strict", L"--colour", L"never"});
    echo_at_once(running.where(), 20, 100'000, 60s);
    for (std::size_t i = 0; i < 50; ++i) {
        client one(running.where());
        REQUIRE(one.exchange(pattern(32, i)) == pattern(32, i));
        one.reset();
    }
    end_with_clients(running);
    const std::string told = without_closes_at_the_end(running.err());
    CHECK_MESSAGE(told.find("watch: [") == std::string::npos, told.substr(told.find("watch: [")));
    for (const char* word : {"AcceptEx", "WSARecv", "WSASend", "packet", "back"}) {
        CHECK_MESSAGE(told.find(word) != std::string::npos, word);
    }
}

} // namespace

TEST_SUITE_BEGIN("long");

#if defined(HAS_ASIO_ECHO)
TEST_CASE("without the watch Asio's echo server serves every kind of client") {
    check_alone(L"asio_echo.exe");
}

TEST_CASE("under the watch Asio's echo server does the same and nothing is found") {
    const seen all = check_under_the_watch(L"asio_echo.exe");
    // Asio posts itself packets with an OVERLAPPED that was in flight before.
    CHECK(all.times("post") > 0);
}

TEST_CASE("while the watch narrates Asio's echo server serves clients") {
    check_narrated(L"asio_echo.exe");
}
#endif

#if defined(HAS_GO_ECHO)
TEST_CASE("without the watch Go's echo server serves every kind of client") {
    check_alone(L"go_echo.exe");
}

TEST_CASE("under the watch Go's echo server does the same and nothing is found") {
    const seen all = check_under_the_watch(L"go_echo.exe");
    // Go asks for no packet where a call succeeds at once.
    CHECK(all.times("skip_mode") > 700);
    CHECK(all.packets_of_operations < all.times("submit"));
}

TEST_CASE("while the watch narrates Go's echo server serves clients") {
    check_narrated(L"go_echo.exe");
}
#endif

TEST_SUITE_END();

int main(int argc, char** argv) {
    WSADATA data{};
    if (const int code = ::WSAStartup(MAKEWORD(2, 2), &data); code != 0) {
        std::fprintf(stderr, "WSAStartup: %d\n", code);
        return 2;
    }
    doctest::Context context(argc, argv);
    const int status = context.run();
    ::WSACleanup();
    return status;
}
