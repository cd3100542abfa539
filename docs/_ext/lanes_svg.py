"""Draws a lanes figure as SVG: text in, text out, no dependency. Colours and fonts come from lanes.css.

A figure is drawn twice, wide and narrow; the style sheet shows the one that fits. Both are laid out alike: an event
is a row, and its text may lie across the lanes, because no other event shares the row.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

import lanes_model as model


@dataclass(frozen=True)
class Style:
    name: str
    width: float  # the figure grows beyond it only when its lanes cannot stand closer
    font: float
    head_font: float
    head_pad: float
    head_widths: tuple[float, ...]  # labels of lanes are broken to the first of these with which the figure fits
    lane_gap: float  # between the middles of two lanes, when there is room
    text_width: float  # texts are broken to this width, or to the arrow's length
    bar: float
    bar_gap: float
    upright_labels: bool  # labels of memory are lines of text over their bars, unless the lanes need the room


WIDE = Style("wide", 690, 13.5, 13.5, 9, (132, 84), 200, 230, 18, 12, True)
NARROW = Style("narrow", 318, 12.5, 11.5, 5, (72, 52, 40), 120, 250, 14, 6, False)

GUTTER = 24  # the numbers of the rows
PAD = 8

# Widths of letters in a proportional font, in hundredths of its size. A little too wide does no harm.
_LETTERS = {**dict.fromkeys("iljI.,:;'|!", 29), **dict.fromkeys("ftr()[]-/ ", 36), **dict.fromkeys("mwMW", 88),
            **dict.fromkeys("ABCDEFGHKLNOPQRSTUVXYZ", 70)}


def _width(text: str, size: float, code: bool = False) -> float:
    if code:
        return len(text) * 0.56 * size
    return sum(_LETTERS.get(letter, 58) for letter in text) / 100 * size


def line_width(line, size: float) -> float:
    return sum(_width(word.text, size, word.code) + (0 if word.glued or not index else 0.32 * size)
               for index, word in enumerate(line))


def break_lines(text: str, size: float, width: float):
    """Lines of words, none wider than `width` unless a single word is; lines of about the same length."""
    words = model.words_of(text)
    lines = _fill(words, size, width)
    while len(lines) > 1 and width > 40:
        narrower = _fill(words, size, width - 6)
        if len(narrower) > len(lines) or max(line_width(line, size) for line in narrower) > width:
            break
        lines, width = narrower, width - 6
    return lines


def _fill(words, size: float, width: float):
    lines = [[]]
    for group in _groups(words):
        if lines[-1] and line_width(lines[-1] + group, size) > width:
            lines.append([])
        lines[-1] += group
    return lines


def _groups(words):
    """Words that no line may part."""
    groups = []
    for word in words:
        if word.glued and groups:
            groups[-1].append(word)
        else:
            groups.append([word])
    return groups


def _clamp(value: float, low: float, high: float) -> float:
    return (low + high) / 2 if low > high else min(max(value, low), high)


class Svg:
    def __init__(self):
        self.parts = []

    def add(self, tag: str, css: str, content: str = "", **attributes) -> None:
        values = ""
        for name, value in attributes.items():
            text = f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)
            values += f" {name.replace('_', '-')}={quoteattr(text)}"
        self.parts.append(f'<{tag} class="{css}"{values}' + (f">{content}</{tag}>" if content else "/>"))

    def line(self, words, x: float, y: float, css: str, anchor: str = "middle", **attributes) -> None:
        runs = []
        for index, word in enumerate(words):
            space = " " if index and not word.glued else ""
            if runs and runs[-1][1] == word.code:
                runs[-1][0] += space + word.text
            elif runs and word.code:  # a space is of the width of the plain font
                runs[-1][0] += space
                runs.append([word.text, True])
            else:
                runs.append([space + word.text, word.code])
        content = "".join(f'<tspan class="lanes-code">{escape(run)}</tspan>' if code else escape(run)
                          for run, code in runs)
        self.add("text", css, content, x=float(x), y=float(y), text_anchor=anchor, **attributes)


def draw(figure: model.Figure, identifier: str, style: Style) -> str:
    """One drawing as an <svg> element; `identifier` makes the ids in it unique on the page."""
    return _Drawing(figure, identifier, style).svg()


class _Drawing:
    def __init__(self, figure: model.Figure, identifier: str, style: Style):
        self.figure = figure
        self.style = style
        self.id = f"{identifier}-{style.name}"
        self.out = Svg()
        self.line_height = style.font * 1.3
        self.head_line = style.head_font * 1.25
        self._place_columns()
        self._place_rows()

    # --- where things stand

    def _place_columns(self) -> None:
        style, lanes = self.style, self.figure.lanes
        self._place_labels_of_memory(style.upright_labels)
        gaps, texts, room = self._gaps()
        if style.upright_labels and len(self.figure.memories) > 1 and sum(texts) > room:
            self._place_labels_of_memory(False)
            gaps, texts, room = self._gaps()
        gaps = self._share(gaps, texts, room)
        gaps = self._share(gaps, [max(gap, style.lane_gap) for gap in gaps], room)
        widths = self.head_widths

        # A figure of one or two lanes still needs room for its texts.
        lanes_width = (widths[0] + widths[-1]) / 2 + sum(gaps)
        area = max(lanes_width, min(style.text_width + 40, style.width - GUTTER - self.memory_width))
        x = GUTTER + (area - lanes_width) / 2 + widths[0] / 2
        self.xs = [x]
        for gap in gaps:
            x += gap
            self.xs.append(x)
        self.left, self.right = GUTTER, GUTTER + area
        self.lane_x = dict(zip((lane.name for lane in lanes), self.xs))
        self.width = self.right + self.memory_width + 2
        self.bar_x = [self.right + offset for offset in self.bar_offsets]

    def _gaps(self) -> tuple[list[float], list[float], float]:
        """Breaks the labels of lanes. Returns the least gaps between lanes, those that the texts want, and the room."""
        style = self.style
        for head_width in style.head_widths:
            self.heads = [break_lines(lane.label, style.head_font, head_width) for lane in self.figure.lanes]
            widths = [max(line_width(line, style.head_font) for line in head) * 1.12 + 2 * style.head_pad
                      for head in self.heads]
            least = [(a + b) / 2 + style.head_pad for a, b in zip(widths, widths[1:])]
            room = style.width - GUTTER - self.memory_width - (widths[0] + widths[-1]) / 2
            if sum(least) <= room:
                break
        self.head_widths = widths
        return least, self._gaps_for_texts(least), room

    def _gaps_for_texts(self, least: list[float]) -> list[float]:
        """Gaps with which the text of every arrow would stand over its arrow."""
        gaps = list(least)
        order = {lane.name: index for index, lane in enumerate(self.figure.lanes)}
        arrows = [event for event in self.figure.events if event.target is not None]
        for event in sorted(arrows, key=lambda event: abs(order[event.source] - order[event.target])):
            first, last = sorted((order[event.source], order[event.target]))
            lines = break_lines(event.text, self.style.font, self.style.text_width)
            need = max(line_width(line, self.style.font) for line in lines) * 1.08 + 20
            short = (need - sum(gaps[first:last])) / (last - first)
            for index in range(first, last):
                gaps[index] += max(0, short)
        return gaps

    @staticmethod
    def _share(gaps: list[float], wanted: list[float], room: float) -> list[float]:
        """Widens the gaps towards what is wanted, as far as there is room."""
        missing = sum(wanted) - sum(gaps)
        share = 0 if missing <= 0 else _clamp((room - sum(gaps)) / missing, 0, 1)
        return [gap + (want - gap) * share for gap, want in zip(gaps, wanted)]

    def _place_labels_of_memory(self, upright: bool) -> None:
        style = self.style
        size = style.head_font - 1
        self.upright_labels = upright
        limit = 84 if upright or len(self.figure.memories) == 1 else 118
        self.bar_offsets, self.labels = [], []
        x = 22 if style.upright_labels else 12
        for memory in self.figure.memories:
            label = break_lines(memory.label, size, limit)
            self.labels.append(label)
            width = max(line_width(line, size) for line in label) * 1.06 if self.upright_labels else \
                len(label) * self.head_line
            column = max(width, style.bar) + style.bar_gap
            self.bar_offsets.append(x + column / 2)
            x += column
        self.memory_width = x if self.figure.memories else 2

    def _place_rows(self) -> None:
        style = self.style
        head_height = max(len(head) for head in self.heads) * self.head_line + 12
        for label in self.labels:
            need = len(label) * self.head_line if self.upright_labels else \
                max(line_width(line, style.head_font - 1) for line in label) * 1.06
            head_height = max(head_height, need + 4)
        self.head_bottom = 2 + head_height
        # With memory there is room for its owner's word at the top of a bar.
        y = self.head_bottom + (20 if self.figure.memories else 14)
        self.rows = []
        for event in self.figure.events:
            row = self._row(event, y)
            self.rows.append(row)
            y = row["bottom"] + 12
        self.bottom = y + 2
        self.height = self.bottom + 2

    def _row(self, event: model.Event, y: float) -> dict:
        style = self.style
        source = self.lane_x[event.source]
        if event.target is None:
            middle = source
            room = min(style.text_width, self.right - self.left - 2 * PAD)
        else:
            target = self.lane_x[event.target]
            middle = (source + target) / 2
            room = min(max(style.text_width, abs(target - source) - 20), self.right - self.left)
        lines = break_lines(event.text, style.font, room)
        width = max(line_width(line, style.font) for line in lines) * 1.04
        height = len(lines) * self.line_height
        if event.target is None:
            half = width / 2 + PAD
            middle = _clamp(middle, self.left + half, self.right - half)
            return {"event": event, "lines": lines, "x": middle, "top": y, "half": half, "text": y + 5,
                    "at": y + 5 + height / 2, "bottom": y + height + 10, "end": middle + half}
        half = width / 2
        middle = _clamp(middle, self.left + half, self.right - half)
        at = y + height + 4
        return {"event": event, "lines": lines, "x": middle, "top": y, "half": half, "text": y, "at": at,
                "bottom": at + 6, "end": max(source, target)}

    # --- drawing

    def svg(self) -> str:
        self._draw_lanes()
        self._draw_guides()
        self._draw_bars()
        for number, row in enumerate(self.rows, 1):
            self.out.parts.append('<g class="lanes-row">')
            self.out.line([model.Word(str(number))], GUTTER - 12, row["at"] + self.style.font * 0.3, "lanes-number",
                          "end")
            (self._draw_note if row["event"].target is None else self._draw_arrow)(row)
            self.out.parts.append("</g>")
        words = model.in_words(self.figure)
        pattern = (f'<defs><pattern id="{self.id}-lent" width="6" height="6" patternUnits="userSpaceOnUse" '
                   'patternTransform="rotate(45)"><path class="lanes-stripe" d="M1.5 0V6"/></pattern></defs>')
        return (f'<svg class="lanes-svg lanes-{self.style.name}" role="img" xmlns="http://www.w3.org/2000/svg" '
                f'viewBox="0 0 {self.width:.0f} {self.height:.0f}" width="{self.width:.0f}" '
                f'height="{self.height:.0f}" style="--lanes-width:{self.width:.0f}px" '
                f'aria-labelledby="{self.id}-title" aria-describedby="{self.id}-desc">'
                f'<title id="{self.id}-title">{escape(self.figure.title)}</title>'
                f'<desc id="{self.id}-desc">{escape(words.intro)} The steps follow as a list.</desc>'
                f'{pattern}{"".join(self.out.parts)}</svg>')

    def _draw_lanes(self) -> None:
        style = self.style
        height = max(len(head) for head in self.heads) * self.head_line + 12
        top = self.head_bottom - height
        for lane, head, width, x in zip(self.figure.lanes, self.heads, self.head_widths, self.xs):
            self.out.add("path", f"lanes-line lanes-line-{lane.kind}",
                         d=f"M{x:.1f} {self.head_bottom:.1f}V{self.bottom:.1f}")
            self.out.add("rect", f"lanes-head lanes-{lane.kind}", x=x - width / 2, y=top, width=width, height=height,
                         rx=5)
            y = top + height / 2 - len(head) * self.head_line / 2 + style.head_font * 0.95
            for line in head:
                self.out.line(line, x, y, "lanes-label")
                y += self.head_line

    def _draw_guides(self) -> None:
        """A faint line from an event to the memory whose owner it changes."""
        for row in self.rows:
            bars = [self._bar_of(change.memory) for change in row["event"].changes]
            if bars:
                self.out.add("path", "lanes-guide", d=f"M{row['end'] + 6:.1f} {row['at']:.1f}H{max(bars):.1f}")

    def _bar_of(self, name: str) -> float:
        return next(x for x, memory in zip(self.bar_x, self.figure.memories) if memory.name == name)

    def _draw_bars(self) -> None:
        style = self.style
        top, size = self.head_bottom + 6, style.head_font - 1
        for memory, label, x in zip(self.figure.memories, self.labels, self.bar_x):
            self._draw_label_of_memory(label, x, size)
            for span in self.figure.spans(memory.name):
                first = top if span.first is None else self.rows[span.first]["at"] + 1
                last = self.bottom if span.last is None else self.rows[span.last]["at"] - 1
                box = {"x": x - style.bar / 2, "y": first, "width": style.bar, "height": max(last - first, 1.0),
                       "rx": 3}
                self.out.add("rect", f"lanes-bar lanes-{span.state}", **box)
                if span.state in (model.LENT, model.WILD):
                    self.out.add("rect", "lanes-hatch", fill=f"url(#{self.id}-lent)", **box)
                word = {model.WILD: "freed while lent"}.get(span.state, span.state)
                if last - first > _width(word, style.bar * 0.62) + 8:
                    y = (first + last) / 2
                    self.out.line([model.Word(word)], x, y, f"lanes-owner lanes-owner-{span.state}",
                                  transform=f"rotate(-90 {x:.1f} {y:.1f})", dy="0.34em")

    def _draw_label_of_memory(self, label, x: float, size: float) -> None:
        if self.upright_labels:
            y = self.head_bottom - 4 - (len(label) - 1) * self.head_line
            for line in label:
                self.out.line(line, x, y, "lanes-memory")
                y += self.head_line
        else:
            x -= (len(label) - 1) * self.head_line / 2
            for line in label:
                self.out.line(line, x, self.head_bottom, "lanes-memory", "start", dy="0.34em",
                              transform=f"rotate(-90 {x:.1f} {self.head_bottom:.1f})")
                x += self.head_line

    def _draw_text(self, row: dict, css: str) -> None:
        y = row["text"] + self.style.font * 0.98
        for line in row["lines"]:
            self.out.line(line, row["x"], y, css)
            y += self.line_height

    def _draw_note(self, row: dict) -> None:
        self.out.add("rect", f"lanes-note lanes-note-{self.figure.lane(row['event'].source).kind}",
                     x=row["x"] - row["half"], y=row["top"], width=2 * row["half"],
                     height=row["bottom"] - row["top"], rx=5)
        self._draw_text(row, "lanes-text")

    def _draw_arrow(self, row: dict) -> None:
        event = row["event"]
        a, b = self.lane_x[event.source], self.lane_x[event.target]
        way = 1 if b > a else -1
        y, tip = row["at"], b - way * 1.5
        states = {change.memory: change.state for change in event.changes}.values()
        css = next((f" lanes-arrow-{state}" for state in (model.WILD, model.LENT, model.BACK) if state in states), "")
        self._draw_text(row, "lanes-text lanes-over")
        self.out.add("path", f"lanes-arrow{css}", d=f"M{a:.1f} {y:.1f}H{tip - way * 7:.1f}")
        self.out.add("circle", f"lanes-foot{css}", cx=a, cy=y, r=2.5)
        self.out.add("path", f"lanes-tip{css}", d=f"M{tip:.1f} {y:.1f}l{-way * 9} -4.5v9z")


LEGEND = {
    model.MINE: "mine",
    model.LENT: "lent: hands off",
    model.BACK: "back: mine again",
    model.GONE: "gone",
    model.WILD: "freed while lent",
}


def legend(figure: model.Figure) -> str:
    """The owners that the figure shows, as HTML. The words are in the text under the figure too."""
    keys = []
    for state in figure.states_shown():
        stripes = ""
        if state in (model.LENT, model.WILD):
            stripes = '<path class="lanes-stripe" d="M2.5 11.5L11.5 2.5M2 6.5L6.5 2M7.5 12L12 7.5"/>'
        keys.append(f'<span class="lanes-key"><svg xmlns="http://www.w3.org/2000/svg" width="14" height="14" viewBox="0 0 14 14" aria-hidden="true">'
                    f'<rect class="lanes-bar lanes-{state}" x="1" y="1" width="12" height="12" rx="3"/>{stripes}</svg>'
                    f"{escape(LEGEND[state])}</span>")
    return f'<div class="lanes-legend" aria-hidden="true">{"".join(keys)}</div>' if keys else ""
