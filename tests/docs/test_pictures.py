"""The pictures' language: what it reads, what it refuses, and what comes of it in words and as a drawing."""

import re
import sys
import unittest
import xml.etree.ElementTree as ET
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs/_ext"))
import picture_model as model  # noqa: E402
import picture_svg  # noqa: E402

OBJECTS = """
# a remark, and an empty line

box packet "completion packet" queue
   "number of bytes"
   overlapped "OVERLAPPED *"
box c "connection" lent
   base "OVERLAPPED"
   buffer
box live mine
packet.overlapped -> c.base: finds the whole
live --> c
group program "the program's memory": c live
""".splitlines()
STATES = """
state open
state closed "closed for good" gone
start -> open
open -> closed: the client closes
open -> open: bytes: as many as come
""".splitlines()
STYLE_SHEET = (Path(__file__).resolve().parents[2] / "docs/_static/lanes.css").read_text(encoding="utf-8")


def read(lines):
    picture, problems = model.parse("A picture", lines)
    assert not problems, problems
    return picture


class Reading(unittest.TestCase):
    def test_boxes_fields_arrows_and_groups_in_their_order(self):
        picture = read(OBJECTS)
        self.assertEqual([(box.name, box.label, box.kind, [(each.name, each.label) for each in box.fields])
                          for box in picture.boxes],
                         [("packet", "completion packet", "queue", [("0", "number of bytes"), ("overlapped", "OVERLAPPED *")]),
                          ("c", "connection", "lent", [("base", "OVERLAPPED"), ("buffer", "buffer")]),
                          ("live", "live", "mine", [])])
        self.assertEqual([(arrow.source, arrow.target, arrow.text, arrow.dashed) for arrow in picture.arrows],
                         [(model.End("packet", "overlapped"), model.End("c", "base"), "finds the whole", False),
                          (model.End("live"), model.End("c"), "", True)])
        self.assertEqual(picture.groups, [model.Group("program", "the program's memory", ("c", "live"))])
        self.assertEqual(picture.states_shown(), ["mine", "lent"])

    def test_states_and_where_they_begin(self):
        picture = read(STATES)
        self.assertTrue(picture.has_start)
        self.assertEqual([(box.name, box.label, box.is_state) for box in picture.boxes],
                         [("open", "open", True), ("closed", "closed for good", True)])
        self.assertEqual(picture.arrows[2].text, "bytes: as many as come")

    def test_a_box_may_be_called_start(self):
        self.assertFalse(read(["state start", "state b", "start -> b", "b -> start"]).has_start)


class Refusing(unittest.TestCase):
    def refused(self, lines, line, text):
        _, problems = model.parse("A picture", lines)
        self.assertEqual([index for index, _ in problems], [line])
        self.assertRegex(problems[0][1], text)

    def test_what_is_not_understood(self):
        self.refused(["box a", "b a c"], 1, r'cannot read "b a c"; write: box NAME')
        self.refused(["box a", '   x y "z"'], 1, "as a field")

    def test_what_is_not_there(self):
        self.refused(["box a", "a -> b"], 1, r"there is no box or state 'b' \(there are: a\)")
        self.refused(["box a", "   x", "a.y -> a"], 2, r"'a' has no field 'y' \(it has: x\)")
        self.refused(["box a", 'group g "all": a b'], 1, "there is no box or state 'b'")
        self.refused(["box a odd"], 0, "unknown kind 'odd'")
        self.refused([""], 0, "without a box")

    def test_what_is_there_twice(self):
        self.refused(["box a", "state a"], 1, "'a' is there already")
        self.refused(["box a", "   x", "   x"], 2, "a has a field 'x' already")
        self.refused(["box a", "group g: a", "group h: a"], 2, "'a' is in the group 'g' already")

    def test_what_makes_no_sense(self):
        self.refused(["   x", "box a"], 0, "below the box")
        self.refused(["state a", "   x"], 1, "below the box")
        self.refused(["state a", "a -> start"], 1, "nothing leads to start")
        self.refused(["box a", "group g:"], 1, "has no box")


class Words(unittest.TestCase):
    def test_boxes_in_words(self):
        words = model.in_words(read(OBJECTS))
        self.assertEqual(words.intro, "Boxes: completion packet with number of bytes, OVERLAPPED *; connection (lent) with "
                         "OVERLAPPED, buffer; live (mine). Together, as the program's memory: connection, live.")
        self.assertEqual(words.steps, ["Completion packet, OVERLAPPED * → connection, OVERLAPPED: finds the whole.",
                                       "Live → connection."])

    def test_states_in_words(self):
        self.assertEqual(model.in_words(read(STATES)).steps,
                         ["It begins in open.", "From open to closed for good: the client closes.",
                          "From open to open: bytes: as many as come."])


def font_sizes(style):
    """The smallest size of the classes that a picture uses, as the style sheet has them."""
    sizes = {}
    for name in ("lanes-text", "lanes-label"):
        prefix = r"\.lanes-narrow " if style.name == "narrow" else r"(?m:^)"
        sizes[name] = float(re.search(prefix + rf"\.{name} \{{\s*font-size: ([\d.]+)px", STYLE_SHEET)[1])
    return sizes


@unittest.skipIf(not __import__("shutil").which("dot"), "it takes graphviz")
class Drawing(unittest.TestCase):
    def drawn(self, lines, style):
        return ET.fromstring(picture_svg.draw(read(lines), "fig", style))

    def test_each_text_is_in_the_drawing_and_all_of_it_within_the_box(self):
        for lines in (OBJECTS, STATES):
            for style in (picture_svg.WIDE, picture_svg.NARROW):
                svg = self.drawn(lines, style)
                left, top, width, height = map(float, svg.get("viewBox").split())
                self.assertLessEqual(width, style.width)
                said = " ".join("".join(text.itertext()) for text in svg.iter("{http://www.w3.org/2000/svg}text"))
                picture = read(lines)
                for label in [*(box.label for box in picture.boxes), *(arrow.text for arrow in picture.arrows)]:
                    for word in label.split():
                        self.assertIn(word, said)
                for element in svg.iter():
                    if element.get("x"):
                        x, y = float(element.get("x")), float(element.get("y"))
                        self.assertTrue(left <= x <= left + width and top <= y <= top + height, element.attrib)
                        if element.get("width"):
                            self.assertLessEqual(x + float(element.get("width")), left + width + 1)
                            self.assertLessEqual(y + float(element.get("height")), top + height + 1)

    def test_boxes_are_as_wide_as_their_texts(self):
        layout = picture_svg.best_layout(read(OBJECTS), picture_svg.WIDE)
        for name, (width, _) in layout.sizes.items():
            self.assertGreater(width, layout.heads[name].width)
            self.assertTrue(all(width > text.width for text in layout.fields[name]))

    def test_boxes_do_not_lie_on_each_other(self):
        for style in (picture_svg.WIDE, picture_svg.NARROW):
            layout = picture_svg.best_layout(read(OBJECTS), style)
            boxes = [(x, y, x + layout.sizes[name][0], y + sum(layout.sizes[name][1])) for name, (x, y) in layout.boxes.items()]
            for i, a in enumerate(boxes):
                for b in boxes[:i]:
                    self.assertTrue(a[0] >= b[2] or b[0] >= a[2] or a[1] >= b[3] or b[1] >= a[3], (a, b))

    def test_letters_are_of_the_size_that_the_style_sheet_gives_them(self):
        for style in (picture_svg.WIDE, picture_svg.NARROW):
            self.assertEqual(font_sizes(style), {"lanes-text": style.font, "lanes-label": style.head_font})

    def test_no_colour_is_in_the_drawing(self):
        svg = picture_svg.draw(read(OBJECTS), "fig", picture_svg.WIDE)
        self.assertNotRegex(svg, r'fill="|stroke="|#[0-9a-f]{3}')
        for kind in re.findall(r"\b(?:lanes|picture)-[a-z]+", svg):
            if kind not in ("lanes-svg", "lanes-wide", "lanes-width"):
                self.assertIn(f".{kind}", STYLE_SHEET)

    def test_a_wide_picture_is_laid_out_across_and_a_narrow_one_down(self):
        chain = ["state a", "state b", "state c", "state d", "a -> b: goes on", "b -> c: goes on", "c -> d: goes on"]
        wide, narrow = (picture_svg.best_layout(read(chain), style) for style in (picture_svg.WIDE, picture_svg.NARROW))
        self.assertGreater(wide.width, wide.height)
        self.assertGreater(narrow.height, narrow.width)


if __name__ == "__main__":
    unittest.main()
