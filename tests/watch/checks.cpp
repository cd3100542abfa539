// The checks of the watch. For each there is a small program in programs/, which is wrong or right as its arguments
// say. It is run with the watch linked to it and with the watch brought into it; what the watch says of the wrong one
// has to name the check and the lines that are marked in its source, and of the right one it has nothing to say.

#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include "program_run.hpp"
#include "source.hpp"

#include <string>
#include <vector>

namespace {

using watch_tests::check_of;
using watch_tests::check_row;
using watch_tests::marked_place;
using watch_tests::outcome;
using watch_tests::said;
using watch_tests::way;

// As strict as the watch can be, and with what is opt-in where it is tested.
outcome run(way how, const check_row& check, const std::string& arguments) {
    return watch_tests::run(how, check.program, arguments, check.id == "send-buffer-changed");
}

// Frames look so: `start_read at main.cpp:41`.
bool holds(const std::vector<std::string>& frames, const std::string& program, const marked_place& place) {
    for (const std::string& frame : frames) {
        const std::size_t at = frame.find(" at " + program + ".cpp:");
        if (at != std::string::npos && frame.substr(0, at).ends_with(place.function)) {
            const int line = std::stoi(frame.substr(frame.rfind(':') + 1));
            if (place.first_line <= line && line <= place.last_line) {
                return true;
            }
        }
    }
    return false;
}

// One of the places that are marked in the source is among the frames; nothing is asked for where none is marked.
void check_place(const std::vector<std::string>& frames, const check_row& check, const std::string& arguments,
                 const std::string& marker) {
    const std::vector<marked_place> places = watch_tests::marked_places(check.program, arguments, marker);
    bool found = places.empty();
    for (const marked_place& place : places) {
        CAPTURE(place.function);
        CAPTURE(place.first_line);
        found = found || holds(frames, check.program, place);
    }
    CAPTURE(marker);
    CHECK(found);
}

void check_silent(const std::string& id, const std::string& arguments) {
    const check_row check = check_of(id);
    for (const way how : {way::linked, way::launched}) {
        const outcome seen = run(how, check, arguments);
        CAPTURE(how == way::linked);
        CHECK(seen.error == "");
        CHECK(seen.status == 0);
    }
}

// \param harmed the program itself says what harm it has done and ends with status 3
void check_named(const std::string& id, const std::string& arguments, bool harmed = false) {
    const check_row check = check_of(id);
    for (const way how : {way::linked, way::launched}) {
        const outcome seen = run(how, check, arguments);
        CAPTURE(how == way::linked);
        CAPTURE(seen.error);
        if (how == way::launched && check.linked_only) {
            CHECK(seen.error == "");
            CHECK(seen.status == 0);
            continue;
        }
        REQUIRE(seen.findings.size() == 1);
        const said& finding = seen.findings.front();
        CHECK(finding.id == id);
        CHECK(finding.level == check.level);
        check_place(finding.here, check, arguments, "here");
        check_place(finding.submitted, check, arguments, "submitted");
        CHECK(seen.status == (check.level == "exact" || harmed ? 3 : 0));
    }
}

} // namespace

TEST_CASE("the table of checks is what the watch declares") {
    const std::vector<check_row> table = watch_tests::all_checks();
    const std::vector<check_row> declared = watch_tests::declared_checks();
    REQUIRE(table.size() == declared.size());
    for (std::size_t i = 0; i < table.size(); ++i) {
        CHECK(table[i].id == declared[i].id);
        CHECK(table[i].level == declared[i].level);
        CHECK(table[i].program == declared[i].program);
    }
}

TEST_CASE("overlapped-reused names a send that takes the OVERLAPPED of a receive in flight") {
    check_named("overlapped-reused", "wrong");
}

TEST_CASE("overlapped-reused names a receive that is submitted again when only the wait for its event was over") {
    check_named("overlapped-reused", "wrong event");
}

TEST_CASE("overlapped-reused names a receive that is submitted again when only the wait for its routine was over") {
    check_named("overlapped-reused", "wrong routine");
}

TEST_CASE("overlapped-reused lets two operations pass that have an OVERLAPPED each") {
    check_silent("overlapped-reused", "right");
}

TEST_CASE("overlapped-reused lets an OVERLAPPED pass that is used again after its packet") {
    check_silent("overlapped-reused", "right packet");
}

TEST_CASE("overlapped-reused lets an OVERLAPPED pass that is used again after its result") {
    check_silent("overlapped-reused", "right result");
}

TEST_CASE("overlapped-reused lets an OVERLAPPED pass that is used again after a wait for its event") {
    check_silent("overlapped-reused", "right wait");
}

TEST_CASE("overlapped-reused lets an OVERLAPPED pass that is used again after any other way to learn of its end") {
    check_silent("overlapped-reused", "right ways");
}

TEST_CASE("overlapped-reused lets an OVERLAPPED pass that its completion routine uses again") {
    check_silent("overlapped-reused", "right routine");
}

TEST_CASE("overlapped-reused lets an OVERLAPPED pass that is used again after an immediate success in skip mode") {
    check_silent("overlapped-reused", "right skip");
}

TEST_CASE("overlapped-reused lets an OVERLAPPED pass that is used again after a submit that failed") {
    check_silent("overlapped-reused", "right failure");
}

TEST_CASE("freed-while-lent names memory that is aligned and freed with a receive in flight") {
    check_named("freed-while-lent", "wrong aligned");
}

TEST_CASE("freed-while-lent names LocalFree with a receive in flight") {
    check_named("freed-while-lent", "wrong local");
}

TEST_CASE("freed-while-lent names a heap that is destroyed with a receive in flight") {
    check_named("freed-while-lent", "wrong heap");
}

TEST_CASE("freed-while-lent names a fiber whose stack goes before its packet") {
    check_named("freed-while-lent", "wrong fiber");
}

TEST_CASE("freed-while-lent lets a fiber pass that ends after its packet") {
    check_silent("freed-while-lent", "right fiber");
}

TEST_CASE("freed-while-lent names delete before the packet of an immediate success") {
    check_named("freed-while-lent", "wrong");
}

TEST_CASE("freed-while-lent names free of a block with the OVERLAPPED in the middle") {
    check_named("freed-while-lent", "wrong free");
}

TEST_CASE("freed-while-lent names delete of a buffer alone") {
    check_named("freed-while-lent", "wrong buffer");
}

TEST_CASE("freed-while-lent names realloc of a buffer") {
    check_named("freed-while-lent", "wrong realloc");
}

TEST_CASE("freed-while-lent names HeapFree") {
    check_named("freed-while-lent", "wrong heapfree");
}

TEST_CASE("freed-while-lent names HeapReAlloc") {
    check_named("freed-while-lent", "wrong heaprealloc");
}

TEST_CASE("freed-while-lent names VirtualFree") {
    check_named("freed-while-lent", "wrong virtualfree");
}

TEST_CASE("freed-while-lent names what is freed when the socket is closed and the packet not dequeued") {
    check_named("freed-while-lent", "wrong close");
}

TEST_CASE("freed-while-lent names what is freed when only the wait for its event was over") {
    check_named("freed-while-lent", "wrong event");
}

TEST_CASE("freed-while-lent names what is freed when the socket is closed and the routine not entered") {
    check_named("freed-while-lent", "wrong close_routine");
}

TEST_CASE("freed-while-lent lets memory pass that is freed after its packet") {
    check_silent("freed-while-lent", "right");
}

TEST_CASE("freed-while-lent lets memory pass that is freed after the packet of a closed socket") {
    check_silent("freed-while-lent", "right close");
}

TEST_CASE("freed-while-lent lets memory pass that is freed after a wait for the event of a closed socket") {
    check_silent("freed-while-lent", "right close_event");
}

TEST_CASE("freed-while-lent lets memory pass that is freed when its OVERLAPPED says that it has ended") {
    check_silent("freed-while-lent", "right poll");
}

TEST_CASE("freed-while-lent lets memory pass that is freed after the packet of a cancelled receive") {
    check_silent("freed-while-lent", "right cancel");
}

TEST_CASE("freed-while-lent lets memory pass that is freed after its result") {
    check_silent("freed-while-lent", "right result");
}

TEST_CASE("freed-while-lent lets memory pass that its completion routine frees") {
    check_silent("freed-while-lent", "right routine");
}

TEST_CASE("freed-while-lent lets memory pass that is freed after an immediate success in skip mode") {
    check_silent("freed-while-lent", "right skip");
}

TEST_CASE("freed-while-lent lets memory pass that is freed after a submit that failed") {
    check_silent("freed-while-lent", "right failure");
}

TEST_CASE("freed-while-lent names a buffer of a file that is freed before its packet") {
    check_named("freed-while-lent", "wrong file");
}

TEST_CASE("freed-while-lent names the connection of a pipe that is freed while a read is in flight") {
    check_named("freed-while-lent", "wrong pipe");
}

TEST_CASE("freed-while-lent lets a buffer of a file be freed after its packet") {
    check_silent("freed-while-lent", "right file");
}

TEST_CASE("freed-while-lent lets the connection of a pipe be freed after its packet") {
    check_silent("freed-while-lent", "right pipe");
}

TEST_CASE("stack-of-ended-thread names a buffer on the stack of a thread that has ended") {
    check_named("stack-of-ended-thread", "wrong");
}

TEST_CASE("stack-of-ended-thread lets memory pass that outlives the thread") {
    check_silent("stack-of-ended-thread", "right");
}

TEST_CASE("memory-overlap names a receive into the buffer that is still being sent") {
    check_named("memory-overlap", "wrong");
}

TEST_CASE("memory-overlap names two receives into one buffer") {
    check_named("memory-overlap", "wrong receives");
}

TEST_CASE("memory-overlap lets a receive pass into the buffer that was sent") {
    check_silent("memory-overlap", "right");
}

TEST_CASE("memory-overlap lets one buffer pass that is sent to two clients") {
    check_silent("memory-overlap", "right sends");
}

TEST_CASE("memory-overlap lets a receive pass into a buffer whose send has ended by its OVERLAPPED") {
    check_silent("memory-overlap", "right poll");
}

TEST_CASE("no-notification names a receive without a port and an event and a routine") {
    check_named("no-notification", "wrong");
}

TEST_CASE("no-notification lets a receive with an event pass") {
    check_silent("no-notification", "right");
}

TEST_CASE("no-notification lets a receive with a port pass") {
    check_silent("no-notification", "right port");
}

TEST_CASE("no-notification lets a receive with a routine pass") {
    check_silent("no-notification", "right routine");
}

TEST_CASE("concurrent-send names the second of two threads that send on one socket") {
    check_named("concurrent-send", "wrong");
}

TEST_CASE("concurrent-send lets two threads pass that send one after the other") {
    check_silent("concurrent-send", "right");
}

TEST_CASE("concurrent-receive names the second of two threads that receive on one socket") {
    check_named("concurrent-receive", "wrong");
}

TEST_CASE("concurrent-receive lets two threads pass that receive one after the other") {
    check_silent("concurrent-receive", "right");
}

TEST_CASE("close-during-call names closesocket while another thread is inside recv") {
    check_named("close-during-call", "wrong");
}

TEST_CASE("close-during-call lets closesocket pass when the other thread has ended") {
    check_silent("close-during-call", "right");
}

TEST_CASE("result-wrong-socket names the result of an accept that is asked of the accepted socket") {
    check_named("result-wrong-socket", "wrong");
}

TEST_CASE("result-wrong-socket lets the result of an accept pass that is asked of the listener") {
    check_silent("result-wrong-socket", "right");
}

TEST_CASE("result-wait-on-port names a wait for a result that goes to the port") {
    check_named("result-wait-on-port", "wrong");
}

TEST_CASE("result-wait-on-port lets a result pass that is asked for without a wait") {
    check_silent("result-wait-on-port", "right");
}

TEST_CASE("result-wait-on-port lets a wait pass for a result that has an event of its own") {
    check_silent("result-wait-on-port", "right event");
}

TEST_CASE("acceptex-short-address names an AcceptEx without the 16 bytes beyond each address") {
    check_named("acceptex-short-address", "wrong");
}

TEST_CASE("acceptex-short-address names an AcceptEx with room for IPv4 on a listener for IPv6") {
    check_named("acceptex-short-address", "wrong inet6");
}

TEST_CASE("acceptex-short-address lets an AcceptEx with room for IPv4 pass") {
    check_silent("acceptex-short-address", "right");
}

TEST_CASE("acceptex-short-address lets an AcceptEx with room for IPv6 pass") {
    check_silent("acceptex-short-address", "right inet6");
}

TEST_CASE("acceptex-short-address names an AcceptEx that the program imports and does not ask WSAIoctl for") {
    check_named("acceptex-short-address", "wrong import");
}

TEST_CASE("acceptex-short-address lets an imported AcceptEx with room enough pass") {
    check_silent("acceptex-short-address", "right import");
}

TEST_CASE("acceptex-short-address lets an AcceptEx pass that leaves the local address out") {
    check_silent("acceptex-short-address", "right none");
}

TEST_CASE("accept-context-missing names shutdown of an accepted socket without its context") {
    check_named("accept-context-missing", "wrong");
}

TEST_CASE("accept-context-missing names getpeername of an accepted socket without its context") {
    check_named("accept-context-missing", "wrong getpeername");
}

TEST_CASE("accept-context-missing names getsockname of an accepted socket without its context") {
    check_named("accept-context-missing", "wrong getsockname");
}

TEST_CASE("accept-context-missing lets shutdown pass when the context is set") {
    check_silent("accept-context-missing", "right");
}

TEST_CASE("accept-context-missing lets a send pass without the context") {
    check_silent("accept-context-missing", "right send");
}

TEST_CASE("connect-context-missing names shutdown of a connected socket without its context") {
    check_named("connect-context-missing", "wrong");
}

TEST_CASE("connect-context-missing lets shutdown pass when the context is set") {
    check_silent("connect-context-missing", "right");
}

TEST_CASE("connect-context-missing lets a send pass without the context") {
    check_silent("connect-context-missing", "right send");
}

TEST_CASE("thread-ended-with-io names a receive with an event whose thread has ended") {
    check_named("thread-ended-with-io", "wrong");
}

TEST_CASE("thread-ended-with-io names a receive with a routine whose thread has ended") {
    check_named("thread-ended-with-io", "wrong routine");
}

TEST_CASE("thread-ended-with-io lets a thread pass that ends when its receive is back") {
    check_silent("thread-ended-with-io", "right");
}

TEST_CASE("thread-ended-with-io lets a thread pass that ends when its routine was entered") {
    check_silent("thread-ended-with-io", "right routine");
}

TEST_CASE("thread-ended-with-io lets a thread pass that has seen by the OVERLAPPED that its receive has ended") {
    check_silent("thread-ended-with-io", "right poll");
}

TEST_CASE("thread-ended-with-io lets a receive with a port pass when its thread ends") {
    check_silent("thread-ended-with-io", "right port");
}

TEST_CASE("socket-left names a socket that a failed bind has left open") {
    check_named("socket-left", "wrong");
}

TEST_CASE("socket-left lets a program pass that closes the socket of a failed bind") {
    check_silent("socket-left", "right");
}

TEST_CASE("start-missing names a receive that the thread pool was not told of") {
    check_named("start-missing", "wrong");
}

TEST_CASE("start-missing names the second of two receives that were announced once") {
    check_named("start-missing", "wrong second");
}

TEST_CASE("start-missing lets a receive pass that was announced before") {
    check_silent("start-missing", "right");
}

TEST_CASE("start-missing lets two receives pass that were both announced before the first") {
    check_silent("start-missing", "right twice");
}

TEST_CASE("start-missing lets a receive pass whose event keeps its end away from the pool") {
    check_silent("start-missing", "right event");
}

TEST_CASE("start-missing lets a receive pass whose socket is closed in flight") {
    check_silent("start-missing", "right closed");
}

TEST_CASE("start-missing lets a receive pass whose callback is dropped and whose end is looked for") {
    check_silent("start-missing", "right dropped");
}

TEST_CASE("cancel-missing names a send that has failed at once when its pool object is closed") {
    check_named("cancel-missing", "wrong");
}

TEST_CASE("cancel-missing names a send that has succeeded at once in skip mode") {
    check_named("cancel-missing", "wrong skip");
}

TEST_CASE("cancel-missing names a thread that waits for the callback of its own failed send") {
    check_named("cancel-missing", "wrong wait", true);
}

TEST_CASE("cancel-missing lets a failed send pass that is taken back") {
    check_silent("cancel-missing", "right");
}

TEST_CASE("cancel-missing lets a success in skip mode pass that is taken back") {
    check_silent("cancel-missing", "right skip");
}

TEST_CASE("cancel-missing lets a thread wait while another one has not taken its send back yet") {
    check_silent("cancel-missing", "right wait");
}

TEST_CASE("event-left names an event that was made for one operation and never closed") {
    check_named("event-left", "wrong");
}

TEST_CASE("event-left lets a program pass that closes its event") {
    check_silent("event-left", "right");
}

TEST_CASE("operation-left names a receive whose packet nobody has dequeued") {
    check_named("operation-left", "wrong");
}

TEST_CASE("operation-left lets a program pass that dequeues the packet of a closed socket") {
    check_silent("operation-left", "right");
}

TEST_CASE("operation-left lets a program pass that closes the port after the socket") {
    check_silent("operation-left", "right port_closed");
}

TEST_CASE("stack-frame-gone names a buffer in the frame of a function that has returned") {
    check_named("stack-frame-gone", "wrong");
}

TEST_CASE("stack-frame-gone lets a buffer pass in a frame that is still there") {
    check_silent("stack-frame-gone", "right");
}

TEST_CASE("send-buffer-changed names a send whose buffer was changed before its packet") {
    check_named("send-buffer-changed", "wrong");
}

TEST_CASE("send-buffer-changed lets a buffer pass that is changed after its packet") {
    check_silent("send-buffer-changed", "right");
}

TEST_CASE("event-changed names an hEvent that was exchanged in flight") {
    check_named("event-changed", "wrong");
}

TEST_CASE("event-changed names an hEvent that was exchanged before the result is asked for") {
    check_named("event-changed", "wrong result");
}

TEST_CASE("event-changed names a wait for an event that was put in when the end goes to a port") {
    check_named("event-changed", "wrong port");
}

TEST_CASE("event-changed lets an hEvent pass that is exchanged after the result") {
    check_silent("event-changed", "right");
}

TEST_CASE("event-changed lets an hEvent pass that is exchanged when the OVERLAPPED says that it has ended") {
    check_silent("event-changed", "right poll");
}

TEST_CASE("packet-of-closed-socket names a packet whose socket is closed and whose key means another one now") {
    check_named("packet-of-closed-socket", "wrong");
}

TEST_CASE("packet-of-closed-socket lets a packet pass that is dequeued before its socket is closed") {
    check_silent("packet-of-closed-socket", "right");
}

TEST_CASE("cancel-of-nothing names CancelIo of a thread that has not submitted the receive") {
    check_named("cancel-of-nothing", "wrong");
}

TEST_CASE("cancel-of-nothing lets CancelIoEx pass whoever has submitted") {
    check_silent("cancel-of-nothing", "right");
}

TEST_CASE("cancel-of-nothing lets CancelIo pass on the thread that has submitted") {
    check_silent("cancel-of-nothing", "right own");
}

TEST_CASE("listener-deaf names a listener that nobody submits an accept for after a failed one") {
    check_named("listener-deaf", "wrong", true);
}

TEST_CASE("listener-deaf lets a listener pass whose next accept is submitted whatever became of the last one") {
    check_silent("listener-deaf", "right");
}

TEST_CASE("thread-ended-with-event names a receive on a port whose event takes it with its thread") {
    check_named("thread-ended-with-event", "wrong");
}

TEST_CASE("thread-ended-with-event lets a receive pass that a port alone is told of") {
    check_silent("thread-ended-with-event", "right");
}

TEST_CASE("thread-ended-with-event lets a thread pass that waits for what it has submitted") {
    check_silent("thread-ended-with-event", "right stays");
}

TEST_CASE("closed-with-unread-input names a close that resets the connection") {
    check_named("closed-with-unread-input", "wrong", true);
}

TEST_CASE("closed-with-unread-input lets a socket be closed whose input was read to its end") {
    check_silent("closed-with-unread-input", "right");
}

TEST_CASE("closed-with-unread-input lets a socket be closed that a send is in flight on") {
    check_silent("closed-with-unread-input", "right stuck");
}

TEST_CASE("closed-with-unread-input lets a reset pass that is wanted") {
    check_silent("closed-with-unread-input", "right reset");
}

TEST_CASE("socket-inherited names the start of a process that inherits a socket") {
    check_named("socket-inherited", "wrong");
}

TEST_CASE("socket-inherited lets a process be started when the socket was made not to be inherited") {
    check_silent("socket-inherited", "right");
}

TEST_CASE("packets-pile-up names a port that is closed with packets that nobody has taken") {
    check_named("packets-pile-up", "wrong");
}

TEST_CASE("packets-pile-up lets packets pass that are taken one by one") {
    check_silent("packets-pile-up", "right");
}

TEST_CASE("packets-pile-up lets packets pass that are taken late") {
    check_silent("packets-pile-up", "right later");
}

TEST_CASE("packet-from-elsewhere names the packet of a job") {
    check_named("packet-from-elsewhere", "wrong");
}

TEST_CASE("packet-from-elsewhere lets a packet pass that the program has posted") {
    check_silent("packet-from-elsewhere", "right");
}

TEST_CASE("packet-from-elsewhere lets the packet of a datagram pass whose receive has failed at once") {
    check_silent("packet-from-elsewhere", "right datagram");
}

TEST_CASE("port-closed-with-waiters names CloseHandle of a port that a thread waits on") {
    check_named("port-closed-with-waiters", "wrong");
}

TEST_CASE("port-closed-with-waiters lets CloseHandle pass when no thread waits on the port") {
    check_silent("port-closed-with-waiters", "right");
}

TEST_CASE("untracked names a socket that is given to BindIoCompletionCallback") {
    check_named("untracked", "wrong");
}

TEST_CASE("untracked lets a socket pass that is given to CreateThreadpoolIo") {
    check_silent("untracked", "right");
}

TEST_CASE("untracked lets a socket pass that is given to a port") {
    check_silent("untracked", "right port");
}
