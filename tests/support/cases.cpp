#include "tests/support/cases.hpp"

#include "tests/support/expect.hpp"
#include "tests/support/failure.hpp"
#include "tests/support/pattern.hpp"
#include "tests/support/swarm.hpp"

#include <doctest/doctest.h>

namespace support {

void check_serves(const server& running) {
    INFO("a new client; stderr of the server so far: ", running.err());
    client fresh(running.where());
    REQUIRE(fresh.exchange("are you there?") == "are you there?");
    fresh.shutdown_send();
    const rest_of_stream rest = fresh.receive_until_end();
    CHECK(rest.bytes.empty());
    CHECK(rest.how == ending::orderly);
}

void check_second_client(const server& running, client first, std::string_view behaviour) {
    client second(running.where());
    second.send_all("second");
    switch (expect(behaviour).what) {
    case outcome::served:
        REQUIRE(second.receive_exactly(6) == "second");
        first.reset();
        break;
    case outcome::waits:
        REQUIRE(second.hears_nothing_for(quiet));
        first.reset();
        REQUIRE(second.receive_exactly(6) == "second");
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
        REQUIRE(clients.back().exchange(word) == word);
    }
    client one_more(running.where());
    one_more.send_all("one more");
    REQUIRE(one_more.hears_nothing_for(quiet));
    // The others go on all the same.
    for (client& one : clients) {
        REQUIRE(one.exchange("still here") == "still here");
    }
    clients.erase(clients.begin() + static_cast<std::ptrdiff_t>(limit / 2));
    REQUIRE(one_more.receive_exactly(8) == "one more");
}

void check_nothing_in_flight(const server& ended) {
    std::string out = ended.out();
    std::erase(out, '\r');
    CHECK_MESSAGE((out.ends_with("\nin flight: 0\n") || out.ends_with(", 0 in flight\n")), out);
}

void check_every_kind_of_client(const server& running) {
    client silent(running.where());
    client never_reads(running.where(), small_buffer);
    const std::size_t taken = never_reads.fill(more_than_fits);
    REQUIRE(taken < more_than_fits);

    client one(running.where());
    CHECK(one.exchange(all_byte_values()) == all_byte_values());
    for (const char c : pattern(20)) {
        REQUIRE(one.exchange({&c, 1})[0] == c);
    }
    const std::string large = pattern(1U << 20);
    CHECK_MESSAGE(one.exchange(large) == large, "1 MiB came back changed");
    one.send_all("last words");
    one.shutdown_send();
    const rest_of_stream rest = one.receive_until_end();
    CHECK(rest.bytes == "last words");
    CHECK(rest.how == ending::orderly);

    client slow(running.where(), small_buffer);
    const std::string some = pattern(100'000);
    CHECK_MESSAGE(slow.exchange(some, 700) == some, "the echo for a slow reader came back changed");

    for (int i = 0; i < 5; ++i) {
        client in_the_middle(running.where());
        in_the_middle.send_all(some);
        REQUIRE_FALSE(in_the_middle.receive_exactly(1).empty());
        in_the_middle.reset();
        client(running.where()).close();
        client(running.where()).reset();
    }
    echo_at_once(running.where(), 50, 20'000);

    CHECK(silent.exchange("at last") == "at last");
    CHECK_MESSAGE(never_reads.receive_exactly(taken) == std::string(taken, 'f'), "the late echo came back changed");
}

} // namespace support
