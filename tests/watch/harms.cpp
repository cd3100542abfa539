// The wrong programs that the watch has no check for: each shows by itself what comes of its mistake, and its right
// twin that all is well. Neither breaks a rule that the watch looks after.

#include <doctest/doctest.h>

#include "program_run.hpp"

using watch_tests::outcome;
using watch_tests::way;

namespace {

// \param named the watch has a check for it, which has tests of its own
void check_both_ways(const std::string& program, const std::string& arguments, DWORD status, const std::string& says,
                     bool named = false) {
    for (const way how : {way::linked, way::launched}) {
        const outcome seen = watch_tests::run(how, program, arguments);
        CAPTURE(how == way::linked);
        CHECK((seen.error.empty() || named));
        CHECK_MESSAGE(seen.output.find(says) != std::string::npos, seen.output);
        CHECK(seen.status == status);
    }
}

void check_harm(const std::string& program, const std::string& says) {
    check_both_ways(program, "wrong", 3, says);
}

void check_well(const std::string& program, const std::string& says) {
    check_both_ways(program, "right", 0, says);
}

// It breaks a rule that the watch looks after, but is not the program that stands for that rule.
void check_named(const std::string& program, const std::string& check) {
    for (const way how : {way::linked, way::launched}) {
        const outcome seen = watch_tests::run(how, program, "wrong");
        CAPTURE(how == way::linked);
        CAPTURE(seen.error);
        REQUIRE(seen.findings.size() == 1);
        CHECK(seen.findings.front().id == check);
    }
}

} // namespace

TEST_CASE("worker-ends-on-failure leaves a client unserved when another one has reset") {
    check_harm("worker_ends_on_failure", "still in the port, and nobody takes it out.");
}

TEST_CASE("worker-ends-on-failure serves that client when a failed operation does not end the worker") {
    check_well("worker_ends_on_failure", "has its echo.");
}

TEST_CASE("closed-at-half-close loses the rest of an echo that is still being sent") {
    check_harm("closed_at_half_close", "only a part came");
}

TEST_CASE("closed-at-half-close loses nothing when the send is waited for") {
    check_well("closed_at_half_close", "all 8388608 bytes of its echo came.");
}

TEST_CASE("cancelled-but-received throws away what a cancelled receive has brought") {
    check_harm("cancelled_but_received", "its 5 bytes are thrown away");
}

TEST_CASE("cancelled-but-received uses what a cancelled receive has brought") {
    check_well("cancelled_but_received", "its 5 bytes are used: order.");
}

TEST_CASE("closed-with-unread-input destroys what was sent") {
    check_both_ways("closed_with_unread_input", "wrong", 3, "only a part came", true);
}

TEST_CASE("closed-with-unread-input destroys nothing when the input is read to its end") {
    check_well("closed_with_unread_input", "Every byte came that was sent");
}

TEST_CASE("flag-without-lock receives on a socket that another thread has closed") {
    check_harm("flag_without_lock", "After the close a receive was submitted");
}

TEST_CASE("flag-without-lock does not when the lock is held over the look and the submit") {
    check_well("flag_without_lock", "What the next client said is its own.");
}

TEST_CASE("stranded waits for a packet that its own worker has taken") {
    check_harm("stranded", "waits at an empty port.");
}

TEST_CASE("stranded does not wait when each worker takes one packet") {
    check_well("stranded", "the other worker has brought it.");
}

TEST_CASE("connectex-unbound is not connected and is told so with 10022") {
    check_harm("connectex_unbound", "ConnectEx has failed with 10022");
}

TEST_CASE("connectex-unbound is connected when it is bound first") {
    check_well("connectex_unbound", "The socket is connected.");
}

TEST_CASE("frame-destroyed frees a frame that a receive still has") {
    for (const way how : {way::linked, way::launched}) {
        const outcome seen = watch_tests::run(how, "frame_destroyed", "wrong");
        CAPTURE(how == way::linked);
        CAPTURE(seen.error);
        REQUIRE(seen.findings.size() == 1);
        CHECK(seen.findings.front().id == "freed-while-lent");
    }
}

TEST_CASE("frame-destroyed frees nothing that is lent when the function has run to its end") {
    check_both_ways("frame_destroyed", "right", 0, "");
}

TEST_CASE("frame-destroyed ends the program when the operation looks whether it is lent") {
    const outcome seen = watch_tests::run(way::linked, "frame_destroyed", "guarded");
    CHECK(seen.error.find("WSARecv is in flight, and its frame is destroyed") != std::string::npos);
    CHECK(seen.output == "");
    CHECK(seen.status == 3);
}

TEST_CASE("routine-not-entered keeps its memory lent as long as no wait is alertable") {
    check_harm("routine_not_entered", "its memory is still lent.");
}

TEST_CASE("routine-not-entered gets its memory back in a wait that is alertable") {
    check_well("routine_not_entered", "the memory is back.");
}

TEST_CASE("routine-chain stays inside its wait as long as each routine makes another one due") {
    check_harm("routine_chain", " routines later");
}

TEST_CASE("routine-chain leaves its wait when the next receive is submitted by the loop") {
    check_well("routine_chain", "and the wait ended.");
}

TEST_CASE("routine-frame-gone is named by the check of frames that are gone") {
    check_named("routine_frame_gone", "stack-frame-gone");
}

TEST_CASE("routine-frame-gone is not named when the function waits until the routine has run") {
    check_both_ways("routine_frame_gone", "right", 0, "");
}

TEST_CASE("queue-cleared is named when it frees the message that is being sent") {
    check_named("queue_cleared", "freed-while-lent");
}

TEST_CASE("queue-cleared is not named when what is lent stays in the queue") {
    check_both_ways("queue_cleared", "right", 0, "");
}

TEST_CASE("growing-string is named when the string moves while it is being sent") {
    check_named("growing_string", "freed-while-lent");
}

TEST_CASE("growing-string is not named when each message is a string of its own") {
    check_both_ways("growing_string", "right", 0, "");
}

TEST_CASE("two-locks stops both workers") {
    check_harm("two_locks", "waited for the other's.");
}

TEST_CASE("two-locks stops nobody when no worker has two locks at once") {
    check_well("two_locks", "both lines were handed on.");
}

TEST_CASE("received-too-early hands a client's second line on before the first one") {
    check_harm("received_too_early", "handed on as two, one.");
}

TEST_CASE("received-too-early keeps the order when the receive comes after the handing on") {
    check_well("received_too_early", "handed on as one, two.");
}

TEST_CASE("address-length-gone is named by the check of frames that are gone") {
    for (const way how : {way::linked, way::launched}) {
        const outcome seen = watch_tests::run(how, "address_length_gone", "wrong");
        CAPTURE(how == way::linked);
        CAPTURE(seen.error);
        REQUIRE(seen.findings.size() == 1);
        CHECK(seen.findings.front().id == "stack-frame-gone");
        CHECK(seen.error.find("the length of the sender's address of operation #1 (WSARecvFrom") != std::string::npos);
    }
}

TEST_CASE("address-length-gone is not named when the length lives in the operation") {
    check_both_ways("address_length_gone", "right", 0, "");
}

TEST_CASE("datagram-twice gets a packet for a receive whose call has failed with 10040") {
    check_harm("datagram_twice", "failed with 10040, and the packet said 234. The receive was taken back twice.");
}

TEST_CASE("datagram-twice takes it back once when the packet is waited for") {
    check_well("datagram_twice", "taken back once.");
}

TEST_CASE("receives-run-out hears nobody any more when failed receives are not submitted again") {
    check_harm("receives_run_out", "no receive is left for it.");
}

TEST_CASE("receives-run-out hears the next datagram when they are") {
    check_well("receives_run_out", "The third one was received.");
}

TEST_CASE("offset-forgotten reads the beginning twice") {
    check_harm("offset_forgotten", "What was read is \"one one \".");
}

TEST_CASE("offset-forgotten reads all of it when each read says where") {
    check_well("offset_forgotten", "and so it was read.");
}

TEST_CASE("pipe-connected-missed waits for a packet that does not come") {
    check_harm("pipe_connected_missed", "a packet that does not come.");
}

TEST_CASE("pipe-connected-missed serves a client that was faster when 535 is taken for a connection") {
    check_well("pipe_connected_missed", "and is served.");
}
