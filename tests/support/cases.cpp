#include "tests/support/cases.hpp"

#include "tests/support/expect.hpp"
#include "tests/support/failure.hpp"
#include "tests/support/needs.hpp"
#include "tests/support/options.hpp"
#include "tests/support/pattern.hpp"
#include "tests/support/swarm.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace support {

namespace {

// Cuts the first finding of the watch that begins so, with the lines that say where.
void cut_finding(std::string& said, std::string_view beginning) {
    constexpr std::string_view where = "watch:     ";
    const std::size_t begin = said.find(beginning);
    if (begin == std::string::npos) {
        return;
    }
    std::size_t end = said.find('\n', begin);
    while (end != std::string::npos && std::string_view(said).substr(end + 1).starts_with(where)) {
        end = said.find('\n', end + 1);
    }
    said.erase(begin, end == std::string::npos ? end : end + 1 - begin);
}

} // namespace

std::size_t fill_the_way(client& one, std::size_t limit, const place& at) {
    const std::size_t taken = one.fill(limit);
    if (taken == limit) {
        DOCTEST_ADD_FAIL_AT(at.file_name(), static_cast<int>(at.line()),
                            "it took all " << (limit >> 20)
                                           << " MiB of a client that reads nothing, and never held it back");
    }
    return taken;
}

void check_serves(const server& running) {
    INFO("a new client; stderr of the server so far: ", running.err());
    client fresh(running.where());
    require_same(fresh.exchange("are you there?"), "are you there?");
    fresh.shutdown_send();
    const rest_of_stream rest = fresh.receive_until_end();
    check_rest(rest, "");
}

void check_second_client(const server& running, client first, std::string_view behaviour) {
    client second(running.where());
    second.send_all("second");
    switch (expect(behaviour).what) {
    case outcome::served:
        require_same(second.receive_exactly(6), "second");
        first.reset();
        break;
    case outcome::waits:
        require_hears_nothing(second, "the client before it is still there");
        first.reset();
        require_same(second.receive_exactly(6), "second");
        break;
    case outcome::harmed:
        throw failure("no case knows how a second client is harmed: " + expect(behaviour).how);
    }
}

void check_limit(const server& running, std::size_t limit) {
    std::vector<client> clients;
    for (std::size_t i = 0; i < limit; ++i) {
        clients.emplace_back(running.where());
        const std::string word = pattern(16, i);
        INFO("client number ", i + 1);
        require_same(clients.back().exchange(word), word);
    }
    client one_more(running.where());
    one_more.send_all("one more");
    require_hears_nothing(one_more, "as many clients as allowed are connected");
    // The others go on all the same.
    for (client& one : clients) {
        require_same(one.exchange("still here"), "still here");
    }
    clients.erase(clients.begin() + static_cast<std::ptrdiff_t>(limit / 2));
    require_same(one_more.receive_exactly(8), "one more");
}

void check_nothing_in_flight(const server& ended) {
    if (!has("last-line")) {
        return;
    }
    std::string out = ended.out();
    std::erase(out, '\r');
    const bool says_so = out.ends_with("\nin flight: 0\n") || out.ends_with(", 0 in flight\n");
    if (!says_so) {
        FAIL_CHECK("its last line does not say that nothing is in flight: \"" << out << "\"");
    }
}

void check_every_kind_of_client(const server& running) {
    client silent(running.where());
    client never_reads(running.where(), small_buffer);
    const std::size_t taken = fill_the_way(never_reads);

    client one(running.where());
    check_same(one.exchange(all_byte_values()), all_byte_values());
    for (const char c : pattern(20)) {
        require_same(one.exchange({&c, 1}), {&c, 1});
    }
    const std::string large = pattern(1U << 20);
    check_same(one.exchange(large), large);
    one.send_all("last words");
    one.shutdown_send();
    const rest_of_stream rest = one.receive_until_end();
    check_rest(rest, "last words");

    client slow(running.where(), small_buffer);
    const std::string some = pattern(100'000);
    check_same(slow.exchange(some, 700), some);

    for (int i = 0; i < 5; ++i) {
        client in_the_middle(running.where());
        in_the_middle.send_all(some);
        REQUIRE_FALSE(in_the_middle.receive_exactly(1).empty());
        in_the_middle.reset();
        client(running.where()).close();
        client(running.where()).reset();
    }
    echo_at_once(running.where(), 50, 20'000);

    check_same(silent.exchange("at last"), "at last");
    check_same(never_reads.receive_exactly(taken), std::string(taken, 'f'));
}

void check_clients_cost_no_thread(const server& running) {
    const std::size_t threads = running.threads();
    std::vector<client> clients;
    for (std::size_t i = 0; i < 150; ++i) {
        clients.emplace_back(running.where());
        require_same(clients.back().exchange(pattern(16, i)), pattern(16, i));
    }
    for (client& one : clients) {
        require_same(one.exchange("still here"), "still here");
    }
    CHECK_MESSAGE(running.threads() <= threads, "clients have made it start a thread");
}

void check_stops_with_a_stuck_send(server& running, bool stops_between_sends) {
    client silent(running.where());
    require_same(silent.exchange("hello"), "hello");
    client never_reads(running.where(), small_buffer);
    fill_the_way(never_reads);
    check_stops(running);
    // TCP asks a receiver that is full again, the first time after a fifth of a second, and gets rid of some bytes. So
    // Ctrl+C may come just when a send has ended and the next has not begun: there is nothing to cancel then, and the
    // watch is right when it tells that this one connection is closed with input unread.
    std::string said = running.err();
    if (the_options().watched && stops_between_sends) {
        cut_finding(said, "watch: [closed-with-unread-input] info: ");
    }
    CHECK_MESSAGE(said.empty(), "it complains: " << said);
}

} // namespace support
