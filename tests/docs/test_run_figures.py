"""The figures of recorded runs: what is kept of a trace, when two have the same shape, and what is drawn of one."""

import sys
import unittest
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs/_ext"))
import lanes_model  # noqa: E402
import run_lines  # noqa: E402
import run_trace  # noqa: E402
import sources  # noqa: E402
from run_trace import Choice, Mistake  # noqa: E402

loader = SourceFileLoader("record_traces", str(ROOT / "tests/docs/record_traces"))
recorder = module_from_spec(spec_from_loader("record_traces", loader))
sys.modules["record_traces"] = recorder
loader.exec_module(recorder)


class Trace:
    """Lines of a trace as the watch writes them."""

    def __init__(self):
        self.lines = []

    def add(self, event, thread=1, **fields):
        number = len(self.lines) + 1
        self.lines.append({"n": number, "us": number * 7, "thread": thread, "event": event} | fields)
        return self

    def socket(self, number, call="WSASocketW", thread=1):
        return self.add("socket", thread, socket=number, call=call, family="inet")

    def call(self, call, thread=1, outcome="ok", **fields):
        return self.add("call", thread, call=call, began_us=5, outcome=outcome, **fields)

    def submit(self, operation, call, socket=2, thread=1, at=0x1000, buffer=0x2000, size=100, **fields):
        memory = [{"what": "OVERLAPPED", "address": hex(at), "bytes": 32, "written": True},
                  {"what": "buffer", "address": hex(buffer), "bytes": size, "written": call != "WSASend"}]
        return self.add("submit", thread, operation=operation, call=call, socket=socket, mode="port",
                        overlapped=hex(at), memory=memory, **fields)

    def returned(self, operation, call, outcome, socket=2, thread=1, back=False, **fields):
        return self.add("return", thread, operation=operation, call=call, socket=socket, outcome=outcome, back=back,
                        **fields)

    def packet(self, operation, socket=2, thread=2, outcome="ok", count=5, **fields):
        return self.add("packet", thread, port=1, key=1, outcome=outcome, bytes=count, operation=operation,
                        socket=socket, posted=False, **fields)

    def recorded(self, *notes):
        return recorder.recorded_form(self.lines, notes)


def echo(receiver=2, sender=2, send="immediate", quick_packet=False):
    """A receive and a send on a port: which worker takes which packet, and other things that are left to chance."""
    trace = Trace().socket(2).submit(1, "WSARecv").returned(1, "WSARecv", "pending").packet(1, thread=receiver)
    trace.submit(2, "WSASend", thread=receiver, at=0x1100, size=5)
    if quick_packet:
        trace.packet(2, thread=sender)
    trace.returned(2, "WSASend", send, thread=receiver, **({"bytes": 5} if send == "immediate" else {}))
    if not quick_packet:
        trace.packet(2, thread=sender)
    return trace.add("close", sender, socket=2, call="closesocket")


def drawn(trace, notes=(), **choice):
    return run_trace.figure("A run", trace.recorded(*notes), Choice(**choice))


def events(figure):
    return [(event.source, event.target, event.text) for event in figure.events]


def states(figure, label):
    name = next(memory.name for memory in figure.memories if memory.label == label)
    return [(span.state, span.first, span.last) for span in figure.spans(name)]


class Recorded(unittest.TestCase):
    def test_nothing_is_kept_of_times_and_numbers_of_the_system(self):
        records = Trace().add("thread", os_id=44).call("bind", socket=1).recorded()
        self.assertEqual(records, [{"n": 1, "thread": 1, "event": "call", "call": "bind", "outcome": "ok", "socket": 1}])

    def test_addresses_are_counted_and_the_same_ones_stay_the_same(self):
        records = Trace().submit(1, "WSARecv", at=0xAA, buffer=0xBB).submit(2, "WSARecv", at=0xCC, buffer=0xBB).recorded()
        self.assertEqual([[memory["address"] for memory in record["memory"]] for record in records],
                         [["0x1", "0x2"], ["0x3", "0x2"]])
        self.assertEqual([record["overlapped"] for record in records], ["0x1", "0x3"])

    def test_a_null_pointer_stays_one(self):
        self.assertEqual(Trace().submit(1, "WSARecv", buffer=0, size=0).recorded()[0]["memory"][1]["address"], "0x0")

    def test_threads_are_numbered_by_what_they_do_first(self):
        records = Trace().call("a").add("thread", 3, os_id=1).call("b", thread=7).call("c", thread=3).recorded()
        self.assertEqual([record["thread"] for record in records], [1, 2, 3])

    def test_waits_that_time_out_are_left_out(self):
        trace = Trace().call("WSAPoll", outcome="failed", error=258).add("wait_failed", port=1, error=258)
        self.assertEqual(trace.call("WSAPoll").recorded(), Trace().call("WSAPoll").recorded())

    def test_steps_of_clients_stand_where_they_were_made(self):
        records = Trace().call("a").call("b").recorded((1, {"event": "client", "client": 1, "does": "connects"}),
                                                       (2, {"event": "ctrl_c"}))
        self.assertEqual([record["event"] for record in records], ["call", "client", "call", "ctrl_c"])
        self.assertEqual([record["n"] for record in records], [1, 2, 3, 4])

    def test_what_is_written_is_read_again(self):
        records = echo().recorded()
        self.assertEqual(run_trace.read(recorder.written(records)), records)


class Shape(unittest.TestCase):
    def same(self, one, other):
        self.assertEqual(list(recorder.differences(one.recorded(), other.recorded())), [])

    def differ(self, one, other, part):
        found = list(recorder.differences(one.recorded(), other.recorded()))
        self.assertIn(f"{part}:", found)

    def test_which_worker_takes_a_packet_is_left_to_chance(self):
        self.same(echo(), echo(receiver=3, sender=2))
        self.same(echo(), echo(sender=3))

    def test_a_packet_may_come_before_the_submit_returns(self):
        self.same(echo(), echo(sender=3, quick_packet=True))

    def test_a_send_may_be_done_at_once_or_pending(self):
        self.same(echo(send="immediate"), echo(send="pending"))

    def test_in_skip_mode_that_decides_whether_there_is_a_packet(self):
        with_packet = Trace().submit(1, "WSASend").returned(1, "WSASend", "pending").packet(1)
        without = Trace().submit(1, "WSASend").returned(1, "WSASend", "immediate", bytes=5, back=True)
        self.same(with_packet, without)

    def test_how_much_was_sent_is_compared(self):
        self.differ(Trace().submit(1, "WSASend").returned(1, "WSASend", "pending").packet(1),
                    Trace().submit(1, "WSASend").returned(1, "WSASend", "pending").packet(1, count=4), "operation 1")

    def test_a_receive_that_is_done_at_once_is_not_one_that_is_pending(self):
        self.differ(Trace().submit(1, "WSARecv").returned(1, "WSARecv", "pending").packet(1),
                    Trace().submit(1, "WSARecv").returned(1, "WSARecv", "immediate", bytes=5).packet(1), "operation 1")

    def test_memory_that_comes_back_in_another_way(self):
        self.differ(Trace().submit(1, "WSARecv").returned(1, "WSARecv", "pending").packet(1),
                    Trace().submit(1, "WSARecv").returned(1, "WSARecv", "pending"), "operation 1")

    def test_how_an_operation_ended(self):
        self.differ(Trace().submit(1, "WSARecv").returned(1, "WSARecv", "pending").packet(1),
                    Trace().submit(1, "WSARecv").returned(1, "WSARecv", "pending").packet(1, outcome="failed", error=995),
                    "operation 1")

    def test_how_much_was_lent(self):
        self.differ(Trace().submit(1, "WSARecv"), Trace().submit(1, "WSARecv", size=99), "operation 1")

    def test_the_order_of_calls_on_a_socket(self):
        self.differ(Trace().call("shutdown", socket=2).add("cancel", socket=2, outcome="ok"),
                    Trace().add("cancel", socket=2, outcome="ok").call("shutdown", socket=2), "socket 1")

    def test_a_cancel_that_finds_nothing_may_say_so_and_no_other_failure_is_passed_over(self):
        one = Trace().add("cancel", socket=2, outcome="ok")
        self.same(one, Trace().add("cancel", socket=2, outcome="failed", error=1168))
        self.differ(one, Trace().add("cancel", socket=2, outcome="failed", error=6), "socket 1")

    def test_the_order_between_sockets_is_left_to_chance(self):
        self.same(Trace().socket(1).socket(2).call("shutdown", socket=1, thread=2).call("shutdown", socket=2, thread=3),
                  Trace().socket(1).socket(2).call("shutdown", socket=2, thread=2).call("shutdown", socket=1, thread=3))

    def test_a_call_that_is_missing(self):
        self.differ(Trace().socket(1).call("bind", socket=1), Trace().socket(1), "socket 1")
        self.differ(Trace().call("WSAPoll").call("WSAPoll"), Trace().call("WSAPoll"), "thread 1")


class Drawn(unittest.TestCase):
    def test_a_receive_is_lent_from_its_submit_to_its_packet(self):
        figure = drawn(echo(), first="submit", until="submit WSASend")
        self.assertEqual(events(figure), [("t1", "kernel", "`WSARecv`: pending"),
                                          ("queue", "t2", "packet: `WSARecv`, 5 bytes")])
        self.assertEqual(states(figure, "OVERLAPPED and buffer"), [("mine", None, 0), ("lent", 0, 1), ("back", 1, None)])
        self.assertEqual([(lane.label, lane.kind) for lane in figure.lanes],
                         [("kernel", "kernel"), ("the port's queue", "queue"), ("main thread", "thread"),
                          ("worker", "thread")])

    def test_without_skip_mode_a_send_that_is_done_is_lent_until_its_packet(self):
        figure = drawn(echo(), first="submit WSASend")
        self.assertEqual([event.text for event in figure.events],
                         ["`WSASend`, 5 bytes", "`WSASend` returns: done at once", "packet: `WSASend`, 5 bytes",
                          "`closesocket`"])
        self.assertEqual([span[1:] for span in states(figure, "OVERLAPPED and buffer") if span[0] == "lent"], [(0, 2)])

    def test_in_skip_mode_it_is_back_when_the_call_returns(self):
        figure = drawn(Trace().submit(1, "WSASend", size=5)
                       .returned(1, "WSASend", "immediate", bytes=5, back=True))
        self.assertEqual([event.text for event in figure.events],
                         ["`WSASend`, 5 bytes", "`WSASend` returns: 5 bytes, at once"])
        self.assertEqual(states(figure, "OVERLAPPED and buffer"), [("mine", None, 0), ("lent", 0, 1), ("back", 1, None)])

    def test_with_an_event_it_is_back_with_the_result(self):
        trace = Trace().submit(1, "WSARecv").returned(1, "WSARecv", "pending").call("WSAWaitForMultipleEvents")
        trace.add("result", operation=1, socket=2, outcome="ok", bytes=5, back=True)
        figure = drawn(trace)
        self.assertEqual([span[1:] for span in states(figure, "OVERLAPPED and buffer") if span[0] == "lent"], [(0, 2)])
        self.assertEqual(figure.lanes[-1].label, "the server's thread")

    def test_a_result_that_gives_nothing_back_is_not_drawn(self):
        trace = Trace().submit(1, "WSARecv").returned(1, "WSARecv", "pending").packet(1)
        trace.add("result", 2, socket=2, outcome="ok", bytes=5, back=False)
        self.assertEqual(len(drawn(trace).events), 2)

    def test_a_receive_of_no_bytes_lends_its_overlapped_alone(self):
        figure = drawn(Trace().submit(1, "WSARecv", buffer=0, size=0).returned(1, "WSARecv", "pending"))
        self.assertEqual([memory.label for memory in figure.memories], ["OVERLAPPED"])
        self.assertEqual(figure.events[0].text, "`WSARecv`, 0 bytes: pending")

    def test_what_was_lent_before_is_lent_where_the_figure_begins(self):
        figure = drawn(echo(), first="packet", until="submit WSASend")
        self.assertEqual(states(figure, "OVERLAPPED and buffer"), [("lent", None, 0), ("back", 0, None)])

    def test_operations_that_overlap_have_bars_of_their_own(self):
        trace = Trace().submit(1, "WSASend", at=0xA, buffer=0xB).submit(2, "WSARecv", at=0xC, buffer=0xD)
        figure = drawn(trace.packet(1).packet(2))
        self.assertEqual([memory.label for memory in figure.memories],
                         ["send's OVERLAPPED and first buffer", "receive's OVERLAPPED and second buffer"])

    def test_a_buffer_that_is_done_with_makes_room_for_the_next_one(self):
        trace = Trace()
        for operation, buffer in ((1, 0xB1), (2, 0xB2)):
            trace.submit(operation, "WSARecv", buffer=buffer).returned(operation, "WSARecv", "pending").packet(operation)
        self.assertEqual([memory.label for memory in drawn(trace).memories], ["OVERLAPPED and buffer"])

    def test_accepts_one_after_the_other_are_one_bar_whatever_memory_they_have(self):
        trace = Trace()
        for operation, place in ((1, 0x10), (2, 0x90)):
            trace.submit(operation, "AcceptEx", socket=1, at=place, buffer=place + 32, accept_socket=operation + 1)
            trace.returned(operation, "AcceptEx", "pending", socket=1).packet(operation, socket=1, count=0)
        figure = drawn(trace)
        self.assertEqual([memory.label for memory in figure.memories], ["accept's OVERLAPPED and addresses"])
        self.assertEqual(figure.events[1].text, "packet: `AcceptEx`, a client")

    def test_clients_and_their_sockets_are_told_apart_where_there_are_several(self):
        trace = Trace().call("listen", socket=1).call("accept", socket=1).socket(2, "accept")
        trace.call("recv", socket=2, bytes=0).call("accept", socket=1).socket(3, "accept")
        notes = [(1, {"event": "client", "client": 1, "does": "connects"}),
                 (4, {"event": "client", "client": 2, "does": "sends", "bytes": 1})]
        self.assertEqual([event.text for event in drawn(trace, notes).events],
                         ["`listen`, the listener", "client 1 connects", "`accept`: s2", "`recv`: 0 bytes, s2",
                          "client 2 sends 1 byte", "`accept`: s3"])
        self.assertEqual([event.text for event in drawn(trace, notes[:1]).events][3], "`recv`: 0 bytes")

    def test_threads_are_named_by_their_part(self):
        trace = Trace().call("accept", socket=1).socket(2, "accept").call("recv", thread=2, socket=2, bytes=1)
        self.assertEqual([lane.label for lane in drawn(trace).lanes], ["kernel", "main thread", "client 1's thread"])
        self.assertIn("worker 2", [lane.label for lane in drawn(echo(sender=3)).lanes])

    def test_failures_and_cancels_and_posts(self):
        trace = Trace().submit(1, "WSARecv").call("recv", socket=2, outcome="failed", error=10035)
        trace.add("cancel", socket=2, operation=1, outcome="ok").packet(1, outcome="failed", error=995, count=0)
        trace.add("post", port=1, key=4, bytes=0, overlapped="0x0")
        trace.add("packet", 2, port=1, key=4, outcome="ok", bytes=0, posted=True)
        self.assertEqual([event.text for event in drawn(trace, [(5, {"event": "ctrl_c"})]).events][1:],
                         ["`recv` fails: 10035", "`CancelIoEx`: the `WSARecv`", "packet: `WSARecv`, failed: 995",
                          "`PostQueuedCompletionStatus`, key 4", "Ctrl+C", "the posted packet, key 4"])

    def test_the_words_of_a_figure_are_sentences(self):
        words = lanes_model.in_words(drawn(echo(), first="submit", until="submit WSASend"))
        self.assertEqual(words.intro, "From left to right: kernel, the port's queue, main thread and worker. "
                                      "At the start the OVERLAPPED and buffer belong to the program.")
        self.assertEqual(words.steps[1], "From the port's queue to the worker: packet: `WSARecv`, 5 bytes. "
                                         "The OVERLAPPED and buffer are back: the program may touch them again.")


class Chosen(unittest.TestCase):
    def texts(self, **choice):
        trace = Trace().call("bind", socket=1).call("recv", socket=2, bytes=1).call("send", socket=2, bytes=1)
        return [event.text.strip("`").split("`")[0] for event in drawn(trace.call("listen", socket=1), **choice).events]

    def test_from_one_record_to_another(self):
        self.assertEqual(self.texts(), ["bind", "recv", "send", "listen"])
        self.assertEqual(self.texts(first="recv"), ["recv", "send", "listen"])
        self.assertEqual(self.texts(first="recv", last="send"), ["recv", "send"])
        self.assertEqual(self.texts(until="call send"), ["bind", "recv"])

    def test_only_some_sockets(self):
        self.assertEqual(self.texts(sockets=frozenset({2})), ["recv", "send"])

    def test_without_some_records(self):
        self.assertEqual(self.texts(without=("call send", "bind")), ["recv", "listen"])

    def refused(self, saying, **choice):
        with self.assertRaises(Mistake) as caught:
            drawn(echo(), **choice)
        self.assertIn(saying, str(caught.exception))

    def test_a_record_that_is_not_there(self):
        self.refused("no record is named 'submit AcceptEx'", first="submit AcceptEx")
        self.refused("no record is named 'submit WSARecv' after record 3", first="packet", last="submit WSARecv")

    def test_nothing_is_left(self):
        self.refused("nothing is left to draw", without=("s1",))

    def test_memory_that_is_shown_may_not_change_hands_unseen(self):
        self.refused("memory that is shown: packet #1", without=("packet WSARecv",))

    def test_a_file_that_is_no_trace(self):
        with self.assertRaises(Mistake) as caught:
            run_trace.read('{"event":"start"}\nhello\n', "07.trace.jsonl")
        self.assertEqual(str(caught.exception), "07.trace.jsonl:2 is not a line of a trace: hello")


class Stepped(unittest.TestCase):
    def steps(self, trace, notes=(), **choice):
        return run_trace.stepped("A run", trace.recorded(*notes), Choice(**choice))[1]

    def test_a_packet_waits_from_what_the_client_does_until_it_is_dequeued(self):
        sends = (3, {"event": "client", "client": 1, "does": "sends", "bytes": 5})
        steps = self.steps(echo(), [sends], last="packet WSARecv")
        self.assertEqual([(step.text, step.waits) for step in steps],
                         [("`WSARecv`: pending", ()), ("sends 5 bytes", ("`WSARecv`, 5 bytes",)),
                          ("packet: `WSARecv`, 5 bytes", ())])

    def test_what_is_done_at_once_waits_from_the_return(self):
        self.assertEqual([step.waits for step in self.steps(echo(), first="submit WSASend", last="packet WSASend")],
                         [(), ("`WSASend`, 5 bytes",), ()])

    def test_a_packet_that_is_faster_than_the_return_waits_from_the_submit(self):
        self.assertEqual([step.waits for step in self.steps(echo(quick_packet=True), first="submit WSASend", last="return WSASend")],
                         [("`WSASend`, 5 bytes",), (), ()])

    def test_in_skip_mode_nothing_waits(self):
        trace = Trace().submit(1, "WSASend").returned(1, "WSASend", "immediate", bytes=5, back=True).call("listen", socket=1)
        self.assertEqual([step.waits for step in self.steps(trace)], [(), (), ()])

    def test_a_posted_packet_waits_until_it_is_dequeued(self):
        trace = Trace().add("post", port=1, key=0, bytes=0, overlapped="0x0").call("listen", socket=1)
        trace.add("packet", 2, port=1, key=0, outcome="ok", bytes=0, posted=True)
        self.assertEqual([step.waits for step in self.steps(trace)], [("a posted packet",), ("a posted packet",), ()])

    def test_what_is_lent_is_named_as_the_figure_names_it(self):
        steps = self.steps(echo(), last="packet WSARecv")
        self.assertEqual([step.lent for step in steps], [("OVERLAPPED and buffer",), ()])

    def test_who_does_it(self):
        self.assertEqual([step.who for step in self.steps(echo(), last="packet WSARecv")], ["main thread", "worker"])


class Lines(unittest.TestCase):
    def line(self, number, record, **regions):
        path, line = run_lines.line_of(number, record, regions)
        return path, (ROOT / path).read_text(encoding="utf-8").splitlines()[line - 1]

    def test_a_call_that_stands_in_one_place_is_found(self):
        for number in ("05", "07", "10", "14"):
            path, text = self.line(number, {"event": "submit", "call": "WSARecv"})
            self.assertTrue(path.startswith(f"chapters/{number}_"), path)
            self.assertIn("::WSARecv(", text)

    def test_what_is_in_common_is_found_there(self):
        path, text = self.line("10", {"event": "packet"})
        self.assertEqual(path, "common/port.hpp")
        self.assertIn("::GetQueuedCompletionStatus(", text)

    def test_associating_is_not_making_a_port(self):
        self.assertNotIn("INVALID_HANDLE_VALUE", self.line("10", {"event": "associate"})[1])

    def test_where_there_are_several_a_region_says_which(self):
        wait = {"event": "call", "call": "WSAWaitForMultipleEvents"}
        self.assertIn("events.data()", self.line("05", wait, WSAWaitForMultipleEvents="wait")[1])
        with self.assertRaisesRegex(Mistake, "in several places; say in which region: chapters/05_"):
            run_lines.line_of("05", wait)
        with self.assertRaisesRegex(Mistake, r"not called in a region \[result\]"):
            run_lines.line_of("05", wait, {"WSAWaitForMultipleEvents": "result"})

    def test_a_call_that_is_nowhere(self):
        with self.assertRaisesRegex(Mistake, "chapter 05 does not call AcceptExNot"):
            run_lines.line_of("05", {"event": "submit", "call": "AcceptExNot"})

    def test_no_line_runs_for_what_a_client_does(self):
        self.assertIsNone(run_lines.line_of("05", {"event": "client", "client": 1, "does": "connects"}))


class TheBook(unittest.TestCase):
    def test_each_recorded_run_has_the_shape_of_itself_and_of_no_other(self):
        runs = {path.name: run_trace.read(path.read_text(encoding="utf-8"), path.name)
                for path in sorted(ROOT.glob("docs/recorded/[01][0-9].trace.jsonl"))}
        self.assertEqual(list(runs), [f"{row['number']}.trace.jsonl" for row in sources.ladder() if row["number"] != "00"])
        # One client that is alone meets the same in these: whose turn it is and how many packets a look takes does not show.
        alike = [f"{number}.trace.jsonl" for number in ("13", "14", "15")]
        for name, run in runs.items():
            self.assertEqual([other for other in runs if not list(recorder.differences(run, runs[other]))],
                             alike if name in alike else [name])


if __name__ == "__main__":
    unittest.main()
