// What every chapter is asked: each kind of client by itself, and a second client beside it. The answers that differ
// from chapter to chapter are in tests/expectations.csv.

#include "tests/support/cases.hpp"
#include "tests/support/chapter.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/failure.hpp"
#include "tests/support/flood.hpp"
#include "tests/support/needs.hpp"
#include "tests/support/options.hpp"
#include "tests/support/pattern.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <utility>

using namespace support;

namespace {

// A server that finishes what it has received waits for clients when it ends: in these cases not for long.
std::vector<std::wstring> with_short_grace() {
    return chapter.finishes_echoes && has("grace") ? std::vector<std::wstring>{L"--grace", L"1"}
                                                   : std::vector<std::wstring>{};
}

// Clients that come and are gone at once. A mistake in how the next accept is armed shows when one comes just then.
constexpr int many_comings = 200;

// What the case shows is that the client is served. Where it is not, the case has to say what it shows instead.
void check_expected_served(std::string_view behaviour) {
    if (expect(behaviour).what != outcome::served) {
        FAIL_CHECK("expectations.csv says that \"" << behaviour
                                                   << "\" is not served, and this case knows no other answer");
    }
}

// A server that a client has been unkind to serves the next one, and then ends as it should.
void check_survived(server& running) {
    check_serves(running);
    check_stops(running);
}

} // namespace

TEST_CASE("all 256 byte values come back unchanged and in order") {
    server running;
    client one(running.where());
    check_expected_served("every byte value");
    check_same(one.exchange(all_byte_values()), all_byte_values());
    one.close();
    check_survived(running);
}

TEST_CASE("four mebibytes come back unchanged and in order") {
    server running;
    client one(running.where());
    const std::string sent = pattern(4U << 20);
    check_expected_served("four mebibytes");
    check_same(one.exchange(sent), sent);
    one.shutdown_send();
    const rest_of_stream rest = one.receive_until_end();
    check_rest(rest, "");
    check_survived(running);
}

TEST_CASE("a client that sends one byte at a time gets one byte at a time") {
    server running;
    client one(running.where());
    check_expected_served("one byte at a time");
    for (const char c : pattern(100)) {
        one.send_all({&c, 1});
        require_same(one.receive_exactly(1), {&c, 1});
    }
    one.close();
    check_survived(running);
}

TEST_CASE("bursts of small messages come back whole and in order") {
    server running;
    client one(running.where());
    check_expected_served("bursts");
    for (std::size_t burst = 0; burst < 5; ++burst) {
        const std::string sent = pattern(100 * 50, burst);
        for (std::size_t at = 0; at < sent.size(); at += 50) {
            one.send_all(std::string_view(sent).substr(at, 50));
        }
        require_same(one.receive_exactly(sent.size()), sent);
    }
    one.close();
    check_survived(running);
}

TEST_CASE("a client that half-closes gets the rest of its echo and then the end") {
    server running;
    client one(running.where());
    check_expected_served("half-close");
    const std::string sent = pattern(100'000);
    one.send_all(sent);
    one.shutdown_send();
    const rest_of_stream rest = one.receive_until_end();
    check_rest(rest, sent);
    check_survived(running);
}

TEST_CASE("a client that half-closes without a word gets the end and no byte") {
    server running;
    client one(running.where());
    one.shutdown_send();
    const rest_of_stream rest = one.receive_until_end();
    check_rest(rest, "");
    check_survived(running);
}

TEST_CASE("a client that half-closes and reads slowly gets every byte and then the end") {
    server running;
    client one(running.where(), small_buffer);
    check_expected_served("half-close and slow");
    const std::size_t sent = fill_the_way(one);
    one.shutdown_send();
    // Slower than the server: when it has received the last byte and the end, what it still has to send does not fit
    // into the way back.
    const rest_of_stream rest = one.receive_until_end(4ms, 32'768);
    check_rest(rest, std::string(sent, 'f'));
    check_survived(running);
}

TEST_CASE("a client that reads slowly gets every byte") {
    server running;
    client one(running.where(), small_buffer);
    const std::string sent = pattern(500'000);
    check_expected_served("slow reader");
    check_same(one.exchange(sent, 700), sent);
    one.close();
    check_survived(running);
}

TEST_CASE("a silent client is left alone and served when it speaks") {
    server running;
    client one(running.where());
    check_expected_served("silent");
    require_hears_nothing(one, "it has said nothing yet");
    check_same(one.exchange("at last"), "at last");
    one.close();
    check_survived(running);
}

TEST_CASE("a client that never reads is held back and not buffered without end") {
    server running;
    client one(running.where(), small_buffer);
    const std::size_t taken = fill_the_way(one);
    const expectation expected = expect("never reads");
    if (expected.what == outcome::served) {
        // Late, but it reads: everything is still there.
        check_same(one.receive_exactly(taken), std::string(taken, 'f'));
        one.close();
    } else {
        REQUIRE(expected.how == "let go after a bounded wait");
        check_cut_off(one);
    }
    check_survived(running);
}

TEST_CASE("beside a client that sends one byte at a time a second one meets what the table says") {
    server running;
    client first(running.where());
    require_same(first.exchange("a"), "a");
    require_same(first.exchange("b"), "b");
    check_second_client(running, std::move(first), "beside one byte at a time");
    check_survived(running);
}

TEST_CASE("beside a client that sends bursts a second one meets what the table says") {
    server running;
    client first(running.where());
    const std::string burst = pattern(20'000);
    require_same(first.exchange(burst), burst);
    check_second_client(running, std::move(first), "beside bursts");
    check_survived(running);
}

TEST_CASE("beside a client that has half-closed a second one meets what the table says") {
    server running;
    client first(running.where());
    first.send_all("last words");
    first.shutdown_send();
    check_rest(first.receive_until_end(), "last words");
    check_second_client(running, std::move(first), "beside half-close");
    check_survived(running);
}

TEST_CASE("beside a silent client a second one meets what the table says") {
    server running;
    check_second_client(running, client(running.where()), "beside silent");
    check_survived(running);
}

TEST_CASE("beside a client that never reads a second one meets what the table says") {
    server running;
    client first(running.where(), small_buffer);
    fill_the_way(first);
    check_second_client(running, std::move(first), "beside never reads");
    check_survived(running);
}

TEST_CASE("beside a client that never stops a second one meets what the table says") {
    // Whether there is time enough is measured by what the first one gets meanwhile: more than is on its way
    // back at a time, and a thousand turns or more.
    constexpr std::size_t meanwhile = 12U << 20;
    const bool waits = expect("beside never stops").what == outcome::waits;
    const bool with_workers = chapter.number >= 8 && has("workers");
    server running(with_workers ? std::vector<std::wstring>{L"--workers", L"1"} : std::vector<std::wstring>{});
    std::optional<flood> first(std::in_place, running.where(), 1U);
    // The first one does not stop, but its thread may be kept from a processor for so long that the server has nothing
    // of it. So a server that lets the second one wait is given several chances to do it.
    bool has_waited = false;
    for (int tries = waits ? 20 : 2; tries > 0 && !has_waited; --tries) {
        client second(running.where());
        second.send_all("second");
        first->wait_until_more(meanwhile);
        has_waited = second.hears_nothing_for(0ms);
        if (has_waited) {
            first.reset();
        }
        require_same(second.receive_exactly(6), "second");
    }
    if (has_waited && !waits) {
        FAIL_CHECK("while the first client got " << (meanwhile >> 20) << " MiB of its echo the second one got nothing");
    } else if (!has_waited && waits && !the_options().own_program) { // a reader's own may be better
        FAIL_CHECK("the second client was served, and expectations.csv says that it waits");
    }
    first.reset();
    check_survived(running);
}

TEST_CASE("after a client that resets in the middle the next one is served") {
    server running;
    check_expected_served("after reset in the middle");
    for (int i = 0; i < 5; ++i) {
        client one(running.where());
        one.send_all(pattern(50'000));
        one.receive_exactly(1);
        one.reset();
    }
    check_survived(running);
}

TEST_CASE("after clients that connect and leave the next one is served") {
    server running;
    check_expected_served("after connect and leave");
    for (int i = 0; i < many_comings; ++i) {
        client(running.where()).close();
    }
    check_survived(running);
}

TEST_CASE("after clients that connect and reset the next one is served") {
    server running;
    check_expected_served("after connect and reset");
    for (int i = 0; i < many_comings; ++i) {
        client(running.where()).reset();
    }
    check_survived(running);
}

TEST_CASE("Ctrl+C with clients connected ends the server" * needs("ctrl-c")) {
    server running(with_short_grace());
    client talking(running.where());
    require_same(talking.exchange("hello"), "hello");
    client silent(running.where());
    running.press_ctrl_c();
    check_ends(running);
    const expectation expected = expect("Ctrl+C");
    if ((expected.what == outcome::served) != chapter.handles_ctrl_c) {
        FAIL_CHECK("expectations.csv and chapter_info do not agree whether it handles Ctrl+C");
    }
    // One way or the other, neither is left hanging.
    talking.receive_until_end();
    silent.receive_until_end();
}

TEST_CASE("Ctrl+C with a client connected that never reads ends the server" * needs("ctrl-c")) {
    server running(with_short_grace());
    client never_reads(running.where(), small_buffer);
    fill_the_way(never_reads);
    check_stops(running);
}

TEST_CASE("a port that is in use ends the start with status 1 and says so" * needs("bind-error")) {
    server holder;
    const std::string port = std::to_string(holder.where().port);
    const finished_program second = run_to_end({L"--port", std::wstring(port.begin(), port.end())});
    check_status(second.status, 1);
    check_same(second.out, "");
    check_contains(second.err, the_options().own_program ? "10048" : "bind 127.0.0.1:" + port + ": 10048 ",
                   "its stderr");
    check_survived(holder);
}

TEST_CASE("a client that comes over IPv6 meets what the table says" * needs("host")) {
    const expectation expected = expect("over IPv6");
    if (expected.what == outcome::served) {
        server running({L"--host", L"::1"});
        CHECK(running.where().host == "::1");
        client one(running.where());
        check_same(one.exchange("hello"), "hello");
        one.close();
        check_survived(running);
    } else {
        REQUIRE(expected.how == "IPv4 only");
        const finished_program refused = run_to_end({L"--host", L"::1", L"--port", L"0"});
        check_status(refused.status, 1);
        check_same(refused.out, "");
        check_contains(refused.err, "::1", "its stderr");
    }
}

TEST_CASE("--help explains the options and ends with status 0" * needs("help")) {
    const finished_program help = run_to_end({L"--help"});
    check_status(help.status, 0);
    check_same(help.err, "");
    for (const char* option : {"--port", "--host", "--help"}) {
        if (!the_options().own_program || option == std::string_view("--port")) {
            check_contains(help.out, option, "what it says after --help");
        }
    }
}

TEST_CASE("bad arguments get one line on stderr and status 2" * needs("bad-arguments")) {
    const std::vector<std::vector<std::wstring>> wrong{{L"--port", L"99999"}, {L"--port", L"six"},     {L"--port"},
                                                       {L"--prot", L"6000"},  {L"--host", L"nowhere"}, {L"6000"}};
    for (const std::vector<std::wstring>& arguments : wrong) {
        const finished_program refused = run_to_end(arguments);
        const std::wstring shown = quoted(arguments);
        INFO("arguments: ", std::string(shown.begin(), shown.end()));
        check_status(refused.status, 2);
        check_same(refused.out, "");
        check_one_line(refused.err, "its stderr");
    }
}
