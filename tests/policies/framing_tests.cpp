// Messages on a stream: the rules alone (messages.hpp), torn in every way; and a server on the engine of chapter 17
// that answers each message with its bytes backwards (answering.hpp, framing.cpp).

#include "messages.hpp"

#include "tests/support/cases.hpp"
#include "tests/support/chapter.hpp"
#include "tests/support/pattern.hpp"
#include "tests/support/server.hpp"

#include <winsock2.h>

#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

using namespace support;

constinit const chapter_info support::chapter{.number = encore, .name = "framing"};

namespace {

template <class Rule>
std::string stream_of(const std::vector<std::string>& messages) {
    std::string stream;
    for (const std::string& each : messages) {
        Rule::put(stream, each);
    }
    return stream;
}

std::string backwards(const std::string& message) {
    return {message.rbegin(), message.rend()};
}

std::vector<std::string> backwards(std::vector<std::string> messages) {
    for (std::string& each : messages) {
        each = backwards(each);
    }
    return messages;
}

// What the cutter finds in a stream that comes in these parts.
template <class Rule>
std::vector<std::string> cut_from(const std::vector<std::string_view>& parts) {
    cutter<Rule> cutting;
    std::vector<std::string> found;
    for (const std::string_view part : parts) {
        REQUIRE(cutting.feed(part, [&found](std::string_view message) { found.emplace_back(message); }));
    }
    return found;
}

template <class Rule>
void check_torn_in_every_way(const std::vector<std::string>& messages) {
    const std::string stream = stream_of<Rule>(messages);
    const std::string_view all = stream;
    CHECK(cut_from<Rule>({all}) == messages);
    for (std::size_t first = 0; first <= all.size(); ++first) {
        for (std::size_t second = first; second <= all.size(); ++second) {
            CAPTURE(first);
            CAPTURE(second);
            REQUIRE(cut_from<Rule>({all.substr(0, first), all.substr(first, second - first), all.substr(second)}) ==
                    messages);
        }
    }
    std::vector<std::string_view> single_bytes;
    for (std::size_t i = 0; i < all.size(); ++i) {
        single_bytes.push_back(all.substr(i, 1));
    }
    CHECK(cut_from<Rule>(single_bytes) == messages);
}

const std::vector<std::string> some{"one", "", "three and a little more", "4", "the fifth"};

std::vector<std::wstring> option_for(bool lines) {
    return lines ? std::vector<std::wstring>{L"--lines"} : std::vector<std::wstring>{};
}

template <class Rule>
void check_answers(client& one, const std::vector<std::string>& messages) {
    one.send_all(stream_of<Rule>(messages));
    const std::string expected = stream_of<Rule>(backwards(messages));
    check_same(one.receive_exactly(expected.size()), expected);
}

// Sends the same again and again until nothing more is taken for a while, and reads nothing. How much was taken.
std::size_t fill_with(client& one, std::string_view repeated) {
    std::size_t taken = 0;
    WSAPOLLFD writable{one.native(), POLLWRNORM, 0};
    while (taken < more_than_fits && ::WSAPoll(&writable, 1, static_cast<int>(quiet.count())) == 1) {
        taken += one.send_some(repeated.substr(taken % repeated.size()));
    }
    return taken;
}

} // namespace

TEST_CASE("messages are found in a stream that is torn in every way") {
    check_torn_in_every_way<by_length>(some);
    check_torn_in_every_way<by_line>(some);
}

TEST_CASE("the longest message is taken and one that is a byte longer is refused") {
    const std::string longest(most_of_message, 'x');
    CHECK(cut_from<by_length>({stream_of<by_length>({longest})}) == std::vector<std::string>{longest});
    CHECK(cut_from<by_line>({stream_of<by_line>({longest})}) == std::vector<std::string>{longest});
    const auto ignore = [](std::string_view) {};
    CHECK_FALSE(cutter<by_length>{}.feed(stream_of<by_length>({longest + 'x'}), ignore));
    CHECK_FALSE(cutter<by_line>{}.feed(stream_of<by_line>({longest + 'x'}), ignore));
}

TEST_CASE("a length that is too long is refused by its four bytes alone") {
    std::vector<std::string> found;
    CHECK_FALSE(cutter<by_length>{}.feed(stream_of<by_length>({"first"}) + "\xFF\xFF\xFF\xFF",
                                         [&found](std::string_view message) { found.emplace_back(message); }));
    CHECK(found == std::vector<std::string>{"first"}); // what came before it is whole
}

TEST_CASE("a line that does not end is refused when it is too long") {
    cutter<by_line> cutting;
    const auto ignore = [](std::string_view) {};
    CHECK(cutting.feed(std::string(most_of_message, 'x'), ignore));
    CHECK_FALSE(cutting.feed("x", ignore));
}

TEST_CASE("messages with their length before them are answered one by one") {
    server running;
    client one(running.where());
    check_answers<by_length>(one, some);
    for (const char each : stream_of<by_length>({"byte by byte"})) {
        one.send_all({&each, 1});
    }
    const std::string expected = stream_of<by_length>({backwards("byte by byte")});
    check_same(one.receive_exactly(expected.size()), expected);
    check_stops(running);
}

TEST_CASE("lines are answered one by one") {
    server running({L"--lines"});
    client one(running.where());
    check_answers<by_line>(one, some);
    for (const char each : std::string_view{"byte by byte\n"}) {
        one.send_all({&each, 1});
    }
    check_same(one.receive_exactly(13), "etyb yb etyb\n");
    check_stops(running);
}

TEST_CASE("long messages and many short ones come back whole") {
    for (const bool lines : {false, true}) {
        CAPTURE(lines);
        server running(option_for(lines));
        client one(running.where());
        std::vector<std::string> messages(20'000, "short");
        for (std::size_t i = 0; i < messages.size(); i += 1000) {
            messages[i] = std::string(most_of_message - i, static_cast<char>('a' + i / 1000));
        }
        const std::string sent = lines ? stream_of<by_line>(messages) : stream_of<by_length>(messages);
        const std::string expected =
            lines ? stream_of<by_line>(backwards(messages)) : stream_of<by_length>(backwards(messages));
        check_same(one.exchange(sent), expected);
        check_stops(running);
    }
}

TEST_CASE("whoever breaks the rule gets the answers before it and is let go") {
    server running;
    client wrong(running.where());
    client other(running.where());
    wrong.send_all(stream_of<by_length>({"hello"}) + "\xFF\xFF\xFF\xFF" + "and more");
    const rest_of_stream rest = wrong.receive_until_end();
    check_same(rest.bytes, stream_of<by_length>({"olleh"}));
    CHECK(rest.how == ending::orderly);
    check_answers<by_length>(other, some);
    check_stops(running);
}

TEST_CASE("half a message at the end of the stream is no message") {
    server running({L"--lines"});
    client one(running.where());
    one.send_all("whole\nhal");
    one.shutdown_send();
    const rest_of_stream rest = one.receive_until_end();
    check_same(rest.bytes, "elohw\n");
    CHECK(rest.how == ending::orderly);
    check_stops(running);
}

TEST_SUITE_BEGIN("long");

TEST_CASE("whoever asks and does not read is held back and gets every answer later") {
    server running({L"--lines"});
    client one(running.where());
    const std::string line(1023, 'f');
    const std::size_t taken = fill_with(one, stream_of<by_line>({line, backwards("answer"), line}));
    REQUIRE(taken < more_than_fits);
    one.shutdown_send();
    const rest_of_stream rest = one.receive_until_end();
    std::string expected;
    while (expected.size() < taken) {
        expected += stream_of<by_line>({line, "answer", line});
    }
    expected.resize(taken);
    expected.resize(expected.rfind('\n') + 1); // half a line is none
    check_same(rest.bytes, expected);
    CHECK(rest.how == ending::orderly);
    check_stops(running);
}

TEST_SUITE_END();
