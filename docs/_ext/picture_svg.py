"""Draws a picture as SVG. Graphviz says where everything stands; sizes, letters and lines are ours, so that a picture looks
as the lanes do and takes its colours from lanes.css.

A picture is laid out twice: from left to right for wide windows, from top to bottom for narrow ones.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from xml.sax.saxutils import escape

import lanes_model
import lanes_svg
import picture_model as model
from lanes_svg import break_lines, line_width


class NoGraphviz(Exception):
    pass


@dataclass(frozen=True)
class Style:
    name: str
    width: float  # more than this does not fit
    directions: tuple[str, ...]  # tried in order until one fits
    head_font: float
    font: float
    box_widths: tuple[float, ...]  # texts are broken to the first of these with which the picture fits
    label_widths: tuple[float, ...]
    gap: float  # between ranks, where an arrow without a label runs


WIDE = Style("wide", 690, ("LR", "TB"), 13.5, 13.5, (170, 130, 100), (140, 110, 90), 46)
NARROW = Style("narrow", 330, ("TB", "LR"), 11.5, 12.5, (150, 110, 84), (120, 90, 70), 30)
PAD = 9
LINE = 1.3


@dataclass(frozen=True)
class Text:
    lines: list
    font: float
    bold: bool = False

    @property
    def width(self):
        return max(line_width(line, self.font) for line in self.lines) * (1.15 if self.bold else 1.06)

    @property
    def height(self):
        return len(self.lines) * self.font * LINE


class Layout:
    """Sizes, from the style; places, from Graphviz. Everything in pixels, y downwards."""

    def __init__(self, picture, style, direction, box_width, label_width):
        self.picture, self.style, self.direction = picture, style, direction
        self.heads, self.fields, self.labels, self.sizes = {}, {}, {}, {}
        for box in picture.boxes:
            head = Text(break_lines(box.label, style.head_font, box_width), style.head_font, bold=True)
            fields = [Text(break_lines(each.label, style.font, box_width), style.font) for each in box.fields]
            width = max(text.width for text in (head, *fields)) + 2 * PAD + (8 if box.is_state else 0)
            heights = [head.height + 10, *(text.height + 8 for text in fields)]
            self.heads[box.name], self.fields[box.name], self.sizes[box.name] = head, fields, (width, heights)
        for index, arrow in enumerate(picture.arrows):
            if arrow.text:
                self.labels[index] = Text(break_lines(arrow.text, style.font, label_width), style.font)
        self.place(json.loads(dot(self.source())))

    def source(self):
        across = self.direction == "LR"
        ranksep = self.style.gap / 72
        lines = ["digraph {", f'graph [rankdir={self.direction}, nodesep={0.32 if across else 0.25}, ranksep={ranksep:.2f}, pad=0, '
                 'margin=0, splines=true, outputorder=edgesfirst];', "edge [arrowsize=0.8];"]
        for box in self.picture.boxes:
            width, heights = self.sizes[box.name]
            if box.fields:
                rows = "".join(f'<TR><TD PORT="{port}" FIXEDSIZE="TRUE" WIDTH="{width:.0f}" HEIGHT="{height:.0f}"></TD></TR>'
                               for port, height in zip(("head", *(f"f_{each.name}" for each in box.fields)), heights))
                lines.append(f'"{box.name}" [shape=plain, label=<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" '
                             f'CELLPADDING="0">{rows}</TABLE>>];')
            else:
                lines.append(f'"{box.name}" [shape=box, label="", fixedsize=true, width={width / 72:.4f}, '
                             f'height={sum(heights) / 72:.4f}];')
        if self.picture.has_start:
            lines.append('"start" [shape=circle, label="", fixedsize=true, width=0.14, height=0.14];')
        for group in self.picture.groups:
            title = Text(break_lines(group.label, self.style.head_font, 400), self.style.head_font, bold=True)
            lines.append(f'subgraph "cluster_{group.name}" {{ margin=10; label=<{sized(title.width, title.height + 2)}>; labelloc=t; '
                         f'{"; ".join(chr(34) + name + chr(34) for name in group.boxes)}; }}')
        for index, arrow in enumerate(self.picture.arrows):
            label = self.labels.get(index)
            attributes = [f'id="{index}"']
            if label:
                attributes.append(f"label=<{sized(label.width + 12, label.height + 4)}>")
            lines.append(f"{self.end(arrow.source, True)} -> {self.end(arrow.target, False)} [{', '.join(attributes)}];")
        return "\n".join([*lines, "}"])

    def end(self, end, is_source):
        box = self.picture.box(end.box)
        if not box or not box.fields:
            return f'"{end.box}"'
        if end.field:
            side = "e" if is_source or self.direction == "TB" else "w"
            return f'"{end.box}":"f_{end.field}":{side}'
        if is_source or self.direction == "TB":
            return f'"{end.box}"'
        return f'"{end.box}":"head":w'

    def place(self, found):
        left, bottom, right, top = (float(number) for number in found["bb"].split(","))

        def point(text):
            x, y = (float(number) for number in text.split(","))
            return x - left, top - y

        self.boxes, self.frames, self.edges, self.label_places, self.start = {}, {}, {}, {}, None
        for each in found.get("objects", []):
            if each["name"].startswith("cluster_"):
                x1, y1, x2, y2 = (float(number) for number in each["bb"].split(","))
                self.frames[each["name"].removeprefix("cluster_")] = (x1 - left, top - y2, x2 - x1, y2 - y1)
                continue
            x, y = point(each["pos"])
            if each["name"] == model.START and self.picture.has_start:
                self.start = (x, y)
                continue
            width, heights = self.sizes[each["name"]]
            self.boxes[each["name"]] = (x - width / 2, y - sum(heights) / 2)
        for each in found.get("edges", []):
            index = int(each["id"])
            parts = each["pos"].split()
            tip = next((point(part[2:]) for part in parts if part.startswith("e,")), None)
            self.edges[index] = [point(part) for part in parts if not part.startswith(("e,", "s,"))], tip
            if "lp" in each:
                self.label_places[index] = point(each["lp"])
        # Curves bend outside of the box that Graphviz reports no more than a little.
        xs = [x for points, _ in self.edges.values() for x, _ in points]
        self.left = min([0, *xs]) - 2
        self.width = max([right - left, *xs]) + 2 - self.left
        self.height = top - bottom + 4


def sized(width, height):
    return (f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0"><TR><TD FIXEDSIZE="TRUE" WIDTH="{width:.0f}" '
            f'HEIGHT="{height:.0f}"></TD></TR></TABLE>')


@lru_cache(maxsize=None)
def dot(source):
    try:
        run = subprocess.run(["dot", "-Tjson0"], input=source, text=True, capture_output=True, check=False)
    except FileNotFoundError:
        raise NoGraphviz("there is no dot: please install graphviz") from None
    if run.returncode:
        raise NoGraphviz(f"dot: {run.stderr.strip()}")
    return run.stdout


def best_layout(picture, style):
    layouts = []
    widths = list(zip(style.box_widths, style.label_widths))
    first, second = style.directions
    for direction, (box_width, label_width) in [*((first, each) for each in widths[:2]), *((second, each) for each in widths),
                                                *((first, each) for each in widths[2:])]:
        layout = Layout(picture, style, direction, box_width, label_width)
        if layout.width <= style.width:
            return layout
        layouts.append(layout)
    return min(layouts, key=lambda layout: layout.width)


def draw(picture: model.Picture, identifier: str, style: Style) -> str:
    """One drawing as an <svg> element; `identifier` makes the ids in it unique on the page."""
    return Drawing(best_layout(picture, style), identifier).svg()


class Drawing:
    def __init__(self, layout, identifier):
        self.layout, self.picture, self.style = layout, layout.picture, layout.style
        self.id = f"{identifier}-{self.style.name}"
        self.out = lanes_svg.Svg()

    def svg(self):
        self.draw_groups()
        for box in self.picture.boxes:
            self.draw_box(box)
        for index, arrow in enumerate(self.picture.arrows):
            self.draw_arrow(index, arrow)
        for index in self.layout.labels:
            self.draw_label(index)
        for group in self.picture.groups:
            self.draw_title(group)
        words = model.in_words(self.picture)
        width, height = self.layout.width, self.layout.height
        return (f'<svg class="lanes-svg lanes-{self.style.name}" role="img" xmlns="http://www.w3.org/2000/svg" '
                f'viewBox="{self.layout.left:.0f} -2 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" '
                f'style="--lanes-width:{width:.0f}px" aria-labelledby="{self.id}-title" aria-describedby="{self.id}-desc">'
                f'<title id="{self.id}-title">{escape(self.picture.title)}</title>'
                f'<desc id="{self.id}-desc">{escape(words.intro)} The arrows follow as a list.</desc>'
                f'{"".join(self.out.parts)}</svg>')

    def text(self, text, x, y, css, anchor="middle"):
        """`y`: its middle."""
        y += text.font * 0.35 - (len(text.lines) - 1) * text.font * LINE / 2
        for line in text.lines:
            self.out.line(line, x, y, css, anchor)
            y += text.font * LINE

    def draw_groups(self):
        for group in self.picture.groups:
            x, y, width, height = self.layout.frames[group.name]
            self.out.add("rect", "picture-group", x=x, y=y, width=width, height=height, rx=8)

    def draw_title(self, group):
        """Over the arrows that lead into the group."""
        x, y, width, _ = self.layout.frames[group.name]
        title = Text([lanes_model.words_of(group.label)], self.style.head_font)
        self.text(title, x + width / 2, y + title.height / 2 + 6, "lanes-label picture-quiet lanes-over")

    def draw_box(self, box):
        x, y = self.layout.boxes[box.name]
        width, heights = self.layout.sizes[box.name]
        corner = min(sum(heights) / 2, 18) if box.is_state else 5
        self.out.add("rect", f"picture-box lanes-{box.kind}", x=x, y=y, width=width, height=sum(heights), rx=corner)
        self.text(self.layout.heads[box.name], x + width / 2, y + heights[0] / 2, "lanes-label")
        y += heights[0]
        for each, text, height in zip(box.fields, self.layout.fields[box.name], heights[1:]):
            last = each is box.fields[-1]
            kind = f"lanes-{each.kind}" if each.kind != "plain" else "picture-field"
            self.out.add("path", f"picture-box {kind}", d=self.row(x, y, width, height, 5 if last else 0))
            self.text(text, x + PAD, y + height / 2, "lanes-text", "start")
            y += height

    @staticmethod
    def row(x, y, width, height, corner):
        """A rectangle, with the two lower corners rounded."""
        r = corner
        return (f"M{x:.1f} {y:.1f}h{width:.1f}v{height - r:.1f}" + (f"a{r} {r} 0 0 1 {-r} {r}" if r else "") +
                f"h{-(width - 2 * r):.1f}" + (f"a{r} {r} 0 0 1 {-r} {-r}" if r else "") + "z")

    def draw_arrow(self, index, arrow):
        points, tip = self.layout.edges[index]
        dashed = " picture-dashed" if arrow.dashed else ""
        path = f"M{points[0][0]:.1f} {points[0][1]:.1f}C" + " ".join(f"{x:.1f} {y:.1f}" for x, y in points[1:])
        self.out.add("path", f"lanes-arrow{dashed}", d=path)
        if arrow.source.field:
            self.out.add("circle", "lanes-foot", cx=points[0][0], cy=points[0][1], r=2.5)
        if tip:
            (x, y), (from_x, from_y) = tip, points[-1]
            length = max(((x - from_x) ** 2 + (y - from_y) ** 2) ** 0.5, 0.1)
            ux, uy = (x - from_x) / length, (y - from_y) / length
            base_x, base_y = x - 9 * ux, y - 9 * uy
            self.out.add("path", "lanes-tip", d=f"M{x:.1f} {y:.1f}L{base_x - 4.5 * uy:.1f} {base_y + 4.5 * ux:.1f}"
                         f"L{base_x + 4.5 * uy:.1f} {base_y - 4.5 * ux:.1f}z")
        if arrow.source.box == model.START and self.layout.start:
            x, y = self.layout.start
            self.out.add("circle", "lanes-tip", cx=x, cy=y, r=5.0)

    def draw_label(self, index):
        x, y = self.layout.label_places[index]
        self.text(self.layout.labels[index], x, y, "lanes-text lanes-over")
