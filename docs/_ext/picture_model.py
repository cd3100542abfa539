"""What a picture says: boxes with fields that point to each other, or states with the ways between them. Reading its text
form, and saying it in words. Nothing here knows how a picture is drawn, nor about Sphinx.

    box packet "completion packet"
       key "completion key"
       overlapped "OVERLAPPED *"
    box c "connection" lent
       base "OVERLAPPED"
       buffer
    packet.overlapped -> c.base
    group memory "the program's memory": packet c

    state open
    state closed gone
    start -> open
    open -> closed: the client closes
    open --> closed: a dashed arrow
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import lanes_model
from lanes_model import FigureError

KINDS = ("plain", "thread", "kernel", "queue", "peer", "mine", "lent", "back", "gone", "wild")
OWNERS = ("mine", "lent", "back", "gone", "wild")
START = "start"


@dataclass
class Field:
    name: str
    label: str
    kind: str


@dataclass
class Box:
    name: str
    label: str
    kind: str
    is_state: bool
    fields: list[Field] = field(default_factory=list)

    def field(self, name):
        return next((each for each in self.fields if each.name == name), None)


@dataclass(frozen=True)
class End:
    """Of an arrow: a box, or one of its fields."""

    box: str
    field: str | None = None


@dataclass(frozen=True)
class Arrow:
    source: End
    target: End
    text: str
    dashed: bool


@dataclass(frozen=True)
class Group:
    name: str
    label: str
    boxes: tuple[str, ...]


@dataclass
class Picture:
    title: str
    boxes: list[Box] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)

    def box(self, name):
        return next((box for box in self.boxes if box.name == name), None)

    @property
    def has_start(self):
        return any(arrow.source.box == START for arrow in self.arrows) and self.box(START) is None

    def states_shown(self):
        kinds = {box.kind for box in self.boxes} | {each.kind for box in self.boxes for each in box.fields}
        return [kind for kind in OWNERS if kind in kinds]

    def add_box(self, name, label, kind, is_state):
        if self.box(name):
            raise FigureError(f"'{name}' is there already")
        self.boxes.append(Box(name, label or name, _kind(kind), is_state))

    def add_field(self, name, label, kind):
        if not self.boxes or self.boxes[-1].is_state:
            raise FigureError("a field stands below the box that it belongs to, indented")
        box = self.boxes[-1]
        name = name or f"{len(box.fields)}"
        if box.field(name):
            raise FigureError(f"{box.name} has a field '{name}' already")
        box.fields.append(Field(name, label or name, _kind(kind)))

    def add_arrow(self, source, target, text, dashed):
        if target == START and not self.box(START):
            raise FigureError("nothing leads to start")
        self.arrows.append(Arrow(self._end(source), self._end(target), text, dashed))

    def _end(self, written):
        box, _, name = written.partition(".")
        there = self.box(box)
        if not there:
            if written == START:
                return End(START)
            known = ", ".join(each.name for each in self.boxes) or "none"
            raise FigureError(f"there is no box or state '{box}' (there are: {known})")
        if name and not there.field(name):
            known = ", ".join(each.name for each in there.fields) or "none"
            raise FigureError(f"'{box}' has no field '{name}' (it has: {known})")
        return End(box, name or None)

    def add_group(self, name, label, boxes):
        if not boxes:
            raise FigureError(f"the group '{name}' has no box")
        for box in boxes:
            self._end(box)
            for group in self.groups:
                if box in group.boxes:
                    raise FigureError(f"'{box}' is in the group '{group.name}' already")
        self.groups.append(Group(name, label or name, tuple(boxes)))


def _kind(kind):
    if kind is not None and kind not in KINDS:
        raise FigureError(f"unknown kind '{kind}' (one of: {', '.join(KINDS)})")
    return kind or "plain"


_BOX = re.compile(r'^(box|state)\s+(\w+)(?:\s+"([^"]*)")?(?:\s+(\w+))?$')
_FIELD = re.compile(r'^(?:(\w+)(?:\s+"([^"]*)")?|"([^"]*)")(?:\s+(\w+))?$')
_ARROW = re.compile(r"^(\w+(?:\.\w+)?)\s*(--?>)\s*(\w+(?:\.\w+)?)(?:\s*:\s+(.*))?$")
_GROUP = re.compile(r'^group\s+(\w+)(?:\s+"([^"]*)")?\s*:\s*(.*)$')


def parse(title: str, lines) -> tuple[Picture, list[tuple[int, str]]]:
    """Reads a picture. Returns it with the mistakes found, each with the index of its line."""
    picture, problems, last = Picture(title), [], 0
    for index, line in enumerate(lines):
        if not line.strip() or line.strip().startswith("#"):
            continue
        last = index
        try:
            _parse_line(picture, line.strip(), line[0].isspace())
        except FigureError as error:
            problems.append((index, str(error)))
    if not problems and not picture.boxes:
        problems.append((last, "a picture without a box or a state"))
    return picture, problems


def _parse_line(picture, line, indented):
    if indented:
        match = _FIELD.match(line)
        if not match:
            raise FigureError(f'cannot read "{line}" as a field; write: NAME "label"')
        name, label, only, kind = match.groups()
        picture.add_field(name, label if only is None else only, kind)
    elif match := _BOX.match(line):
        what, name, label, kind = match.groups()
        picture.add_box(name, label, kind, what == "state")
    elif match := _GROUP.match(line):
        picture.add_group(match[1], match[2], match[3].replace(",", " ").split())
    elif match := _ARROW.match(line):
        picture.add_arrow(match[1], match[3], (match[4] or "").strip(), match[2] == "-->")
    else:
        raise FigureError(f'cannot read "{line}"; write: box NAME "label"  or  state NAME  or  A -> B: text  or  '
                          'group NAME "label": A B')


# --- in words


def in_words(picture: Picture) -> lanes_model.Words:
    boxes = [box for box in picture.boxes if not box.is_state]
    states = [box for box in picture.boxes if box.is_state]
    intro = []
    if boxes:
        intro.append(f"Boxes: {'; '.join(_described(box) for box in boxes)}.")
    if states:
        intro.append(f"States: {', '.join(_described(state) for state in states)}.")
    for group in picture.groups:
        intro.append(f"Together, as {group.label}: {', '.join(picture.box(name).label for name in group.boxes)}.")
    return lanes_model.Words(" ".join(intro), [_step(picture, arrow) for arrow in picture.arrows], None)


def _described(box):
    text = box.label + _of_kind(box.kind)
    if box.fields:
        text += " with " + ", ".join(each.label + _of_kind(each.kind) for each in box.fields)
    return text


def _of_kind(kind):
    return {"mine": " (mine)", "lent": " (lent)", "back": " (back)", "gone": " (gone)", "wild": " (freed while lent)"}.get(kind, "")


def _step(picture, arrow):
    if arrow.source.box == START and not picture.box(START):
        step = f"It begins in {_named(picture, arrow.target)}"
    elif picture.box(arrow.source.box).is_state:
        step = f"From {_named(picture, arrow.source)} to {_named(picture, arrow.target)}"
    else:
        step = f"{_named(picture, arrow.source)} → {_named(picture, arrow.target)}"
        step = step[0].upper() + step[1:]
    step += f": {arrow.text}" if arrow.text else ""
    return step + ("" if step[-1] in ".!?" else ".")


def _named(picture, end):
    box = picture.box(end.box)
    return f"{box.label}, {box.field(end.field).label}" if end.field else box.label
