"""The figures' language: what it reads, what it refuses, and what comes of it in words and as a drawing."""

import sys
import unittest
import xml.etree.ElementTree as ET
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs/_ext"))
import lanes_model as model  # noqa: E402
import lanes_svg  # noqa: E402

RECEIVE = """
lane worker "worker thread"
lane kernel "kernel"
lane queue "the port's queue"
memory buffer "buffer" mine
memory op "OVERLAPPED"
# a remark, and an empty line

worker -> kernel: WSARecv | lend buffer op
worker: returns WSA_IO_PENDING
kernel -> queue: completion packet
queue -> worker: GetQueuedCompletionStatus | back buffer, op
worker: deletes both | free buffer | free op
"""
TWO_LANES = ["lane a", "lane b", "memory m", "memory n"]


def read(text):
    figure, problems = model.parse("A figure", text.splitlines() if isinstance(text, str) else text)
    assert not problems, problems
    return figure


def states(figure, name):
    return [(span.state, span.first, span.last) for span in figure.spans(name)]


class Reading(unittest.TestCase):
    def test_lanes_memory_and_events_in_their_order(self):
        figure = read(RECEIVE)
        self.assertEqual([(lane.name, lane.label, lane.kind) for lane in figure.lanes],
                         [("worker", "worker thread", "thread"), ("kernel", "kernel", "kernel"),
                          ("queue", "the port's queue", "queue")])
        self.assertEqual([(memory.name, memory.label, memory.start) for memory in figure.memories],
                         [("buffer", "buffer", "mine"), ("op", "OVERLAPPED", "mine")])
        self.assertEqual([(event.source, event.target, event.text) for event in figure.events],
                         [("worker", "kernel", "WSARecv"), ("worker", None, "returns WSA_IO_PENDING"),
                          ("kernel", "queue", "completion packet"), ("queue", "worker", "GetQueuedCompletionStatus"),
                          ("worker", None, "deletes both")])

    def test_a_label_may_be_left_out_and_a_kind_named(self):
        figure = read(["lane poller kernel", "poller: waits"])
        self.assertEqual(figure.lanes, [model.Lane("poller", "poller", "kernel")])

    def test_the_kind_of_a_lane_follows_from_its_name(self):
        figure = read(['lane q "the port"', "lane client", 'lane c "the client\'s thread"', "lane system", "lane main",
                       'lane e "the socket\'s event"', "main: x"])
        self.assertEqual([lane.kind for lane in figure.lanes], ["queue", "peer", "thread", "kernel", "thread", "queue"])

    def test_a_text_may_hold_colons_and_arrows(self):
        figure = read([*TWO_LANES, "a -> b: error 995: x -> y", "a: std::thread"])
        self.assertEqual([event.text for event in figure.events], ["error 995: x -> y", "std::thread"])


class Owners(unittest.TestCase):
    def test_memory_passes_from_owner_to_owner_with_its_events(self):
        self.assertEqual(states(read(RECEIVE), "buffer"),
                         [("mine", None, 0), ("lent", 0, 3), ("back", 3, 4), ("gone", 4, None)])

    def test_memory_that_never_comes_back_is_lent_to_the_end(self):
        figure = read([*TWO_LANES, "a -> b: x | lend m", "b: y"])
        self.assertEqual(states(figure, "m"), [("mine", None, 0), ("lent", 0, None)])
        self.assertEqual(states(figure, "n"), [("mine", None, None)])

    def test_memory_may_begin_within_the_figure(self):
        figure = read(["lane a", "memory m none", "a: x", "a: new | make m"])
        self.assertEqual(states(figure, "m"), [("mine", 1, None)])

    def test_memory_may_begin_lent_and_be_lent_again(self):
        figure = read(["lane a", "memory m lent", "a: x | back m", "a: y | lend m"])
        self.assertEqual(states(figure, "m"), [("lent", None, 0), ("back", 0, 1), ("lent", 1, None)])

    def test_back_and_lent_again_by_one_event_is_no_change(self):
        figure = read(["lane a", "memory m lent", "a: x | back m | lend m"])
        self.assertEqual(states(figure, "m"), [("lent", None, None)])

    def test_memory_freed_while_lent_is_gone_only_with_the_packet(self):
        figure = read(["lane a", "memory m lent", "a: delete | free m", "a: packet | back m"])
        self.assertEqual(states(figure, "m"), [("lent", None, 0), ("wild", 0, 1), ("gone", 1, None)])


class Mistakes(unittest.TestCase):
    def refused(self, *lines, at, saying):
        figure, problems = model.parse("A figure", [*TWO_LANES, *lines])
        self.assertEqual([index - len(TWO_LANES) for index, _ in problems], [at], problems)
        self.assertIn(saying, problems[0][1])

    def test_an_unknown_lane(self):
        self.refused("a: x", "a -> kernel: y", at=1, saying="unknown lane 'kernel' (lanes: a, b)")
        self.refused("c: x", at=0, saying="unknown lane 'c'")

    def test_an_unknown_memory(self):
        self.refused("a: x | lend buffer", at=0, saying="unknown memory 'buffer' (memory: m, n)")

    def test_an_unknown_action(self):
        self.refused("a: x | give m", at=0, saying="unknown action 'give'")

    def test_an_action_without_memory(self):
        self.refused("a: x | lend", at=0, saying="'lend' names no memory")
        self.refused("a: x |", at=0, saying="nothing after '|'")

    def test_lines_that_say_nothing(self):
        self.refused("a says hello", "a: x", at=0, saying='cannot read "a says hello"')
        self.refused("a:", at=0, saying="an event without a text")
        self.refused("lane c 'c'", "a: x", at=0, saying="cannot read")

    def test_an_arrow_to_its_own_lane(self):
        self.refused("a -> a: x", at=0, saying="from 'a' to itself")

    def test_names_used_twice(self):
        self.refused("lane a", "a: x", at=0, saying="lane 'a' is there already")
        self.refused("memory m", "a: x", at=0, saying="memory 'm' is there already")

    def test_unknown_starts_and_kinds(self):
        self.refused('memory k "k" yours', "a: x", at=0, saying="cannot start as 'yours'")
        self.refused('lane k "k" fibre', "a: x", at=0, saying="unknown kind of lane 'fibre'")

    def test_actions_that_do_not_fit_the_owner(self):
        self.refused("a: x | back m", at=0, saying="'back m' does not fit: m is the program's own here")
        self.refused("a: x | lend m", "a: y | lend m", at=1, saying="m is lent here")
        self.refused("a: x | free m", "a: y | lend m", at=1, saying="m is gone here")
        self.refused("a: x | free m | free m", at=0, saying="m is gone here")

    def test_a_refused_event_changes_no_owner(self):
        self.refused("a: x | lend m nothing", "a: y | lend m", at=0, saying="unknown memory 'nothing'")

    def test_each_mistake_is_told_with_its_line(self):
        _, problems = model.parse("A figure", ["lane a", "b: x", "", "a: x", "c: y"])
        self.assertEqual([index for index, _ in problems], [1, 4])

    def test_a_figure_without_lanes_or_events(self):
        self.assertIn("without a lane", model.parse("A figure", [])[1][0][1])
        self.assertIn("without an event", model.parse("A figure", ["lane a"])[1][0][1])


class InWords(unittest.TestCase):
    def test_a_step_an_event(self):
        words = model.in_words(read(RECEIVE))
        self.assertEqual(words.intro, "From left to right: worker thread, kernel and the port's queue. "
                                      "At the start the buffer and the OVERLAPPED belong to the program.")
        self.assertEqual(words.steps, [
            "From the worker thread to the kernel: WSARecv. The buffer and the OVERLAPPED are lent from here on.",
            "At the worker thread: returns WSA_IO_PENDING.",
            "From the kernel to the port's queue: completion packet.",
            "From the port's queue to the worker thread: GetQueuedCompletionStatus. "
            "The buffer and the OVERLAPPED are back: the program may touch them again.",
            "At the worker thread: deletes both. The buffer and the OVERLAPPED are gone.",
        ])
        self.assertIsNone(words.end)

    def test_what_is_lent_at_the_end_is_said(self):
        words = model.in_words(read(['lane a "worker 1"', 'memory m "receive buffers"', "a: Done! | lend m"]))
        self.assertEqual(words.steps, ["At worker 1: Done! The receive buffers are lent from here on."])
        self.assertEqual(words.end, "At the end the receive buffers are still lent.")

    def test_names_of_code_are_told_from_words(self):
        def code(text):
            return [word.text for word in model.words_of(text) if word.code]

        self.assertEqual(code("WSARecv, AcceptEx; SO_SNDBUF's (OVERLAPPED) WSABUF hEvent send()"),
                         ["WSARecv", "AcceptEx", "SO_SNDBUF", "OVERLAPPED", "WSABUF", "hEvent", "send()"])
        self.assertEqual(code("The IOCP, IPv6, Windows, I/O, 64 KiB, CPUs, 995 and a well-kept TCP"), [])
        self.assertEqual(code("`accept` returns, then ``closesocket``."), ["accept", "closesocket"])

    def test_punctuation_stays_at_its_word(self):
        def text(words):
            return "".join(("" if word.glued else " ") + word.text for word in words).strip()

        for sentence in ("WSARecv, then (AcceptEx): done", "`accept`, and (`send`) it's `x`-ray"):
            self.assertEqual(text(model.words_of(sentence)), sentence.replace("`", ""))


class Drawing(unittest.TestCase):
    def draw(self, figure, style):
        return ET.fromstring(lanes_svg.draw(figure, "id1", style))

    def test_title_description_and_role(self):
        figure = model.parse('Less < more & "quotes"', RECEIVE.splitlines())[0]
        for style in (lanes_svg.WIDE, lanes_svg.NARROW):
            svg = self.draw(figure, style)
            self.assertEqual(svg.get("role"), "img")
            by_id = {element.get("id"): element for element in svg.iter() if element.get("id")}
            self.assertEqual(by_id[svg.get("aria-labelledby")].text, 'Less < more & "quotes"')
            self.assertIn("From left to right", by_id[svg.get("aria-describedby")].text)

    def test_an_arrow_for_each_event_with_a_target_and_a_bar_for_each_span(self):
        svg = self.draw(read(RECEIVE), lanes_svg.WIDE)
        kinds = [element.get("class").split()[0] for element in svg.iter() if element.get("class")]
        self.assertEqual(kinds.count("lanes-tip"), 3)
        self.assertEqual(kinds.count("lanes-note"), 2)
        self.assertEqual(kinds.count("lanes-bar"), 8)
        self.assertEqual(kinds.count("lanes-hatch"), 2)

    def test_a_bar_that_is_lent_to_the_end_goes_as_far_as_the_lanes(self):
        svg = self.draw(read([*TWO_LANES, "a -> b: x | lend m", "b: y", "b: z"]), lanes_svg.WIDE)
        classes = {(element.get("class") or "-"): element for element in svg.iter()}
        bar, line = classes["lanes-bar lanes-lent"], classes["lanes-line lanes-line-thread"]
        self.assertAlmostEqual(float(bar.get("y")) + float(bar.get("height")), float(line.get("d").split("V")[1]),
                               delta=0.2)

    def test_nothing_is_drawn_beyond_the_edges(self):
        lines = ['lane a "a thread with a rather long name"', 'lane b "kernel"', 'memory m "buffer"',
                 "a: a note that is much longer than the space between the lanes, so that it must be broken | lend m",
                 "b -> a: GetQueuedCompletionStatus, which is long and stands over a short arrow",
                 "b: the last lane has a long note too, and it must not reach into the memory | back m"]
        for style in (lanes_svg.WIDE, lanes_svg.NARROW):
            svg = self.draw(read(lines), style)
            width, height = map(float, svg.get("viewBox").split()[2:])
            self.assertLessEqual(width, style.width + 4)
            boxes = [[float(element.get(name)) for name in ("x", "y", "width", "height")]
                     for element in svg.iter() if element.tag.endswith("rect")]
            bar = min(x for x, _, w, _ in boxes if w == style.bar)
            for x, y, w, h in boxes:
                self.assertGreaterEqual(min(x, y), 0)
                self.assertLessEqual(x + w, width)
                self.assertLessEqual(y + h, height)
                self.assertTrue(x >= bar or x + w < bar, "a note or a lane's head reaches into the memory")

    def test_the_legend_names_the_owners_that_are_shown(self):
        self.assertEqual(read(RECEIVE).states_shown(), ["mine", "lent", "back", "gone"])
        self.assertIn("hands off", lanes_svg.legend(read(RECEIVE)))
        self.assertNotIn("gone", lanes_svg.legend(read([*TWO_LANES, "a: x | lend m"])))
        self.assertEqual(lanes_svg.legend(read(["lane a", "a: x"])), "")


if __name__ == "__main__":
    unittest.main()
