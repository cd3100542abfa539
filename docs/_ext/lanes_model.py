"""What a lanes figure says: lanes, memory, events. Reading its text form, and saying it in words.

Nothing here knows how a figure is drawn, nor about Sphinx. A figure can be built from text (`parse`) or, call by
call, from any other source (`Figure.add_lane`, `add_memory`, `add_event`): the same rules are checked either way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

MINE, LENT, BACK, GONE = "mine", "lent", "back", "gone"
NONE = "none"  # does not exist yet
WILD = "wild"  # freed while it was lent: the system may still write to it

STARTS = (MINE, LENT, NONE)
ACTIONS = ("make", "lend", "back", "free")
LANE_KINDS = ("thread", "kernel", "queue", "peer")

# What each action makes of memory in each state. A pair that is not here is a mistake in the figure.
_STEPS = {
    ("make", NONE): MINE,
    ("make", GONE): MINE,
    ("lend", MINE): LENT,
    ("lend", BACK): LENT,
    ("back", LENT): BACK,
    ("back", WILD): GONE,
    ("free", MINE): GONE,
    ("free", BACK): GONE,
    ("free", LENT): WILD,
}

_STATE_WORDS = {
    MINE: "the program's own",
    LENT: "lent",
    BACK: "back",
    GONE: "gone",
    NONE: "not there yet",
    WILD: "freed while lent",
}


class FigureError(ValueError):
    """One mistake in a figure, said so that its writer can put it right."""


@dataclass(frozen=True)
class Lane:
    name: str
    label: str
    kind: str


@dataclass(frozen=True)
class Memory:
    name: str
    label: str
    start: str


@dataclass(frozen=True)
class Change:
    """Memory passes into a state with an event."""

    memory: str
    action: str
    state: str


@dataclass(frozen=True)
class Event:
    """An arrow between two lanes, or, without a target, a note at one lane."""

    source: str
    target: str | None
    text: str
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class Span:
    """Memory in one state: from event `first` (None: from the top) up to event `last` (None: to the end)."""

    state: str
    first: int | None
    last: int | None


@dataclass
class Figure:
    title: str
    lanes: list[Lane] = field(default_factory=list)
    memories: list[Memory] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    _states: dict[str, str] = field(default_factory=dict)

    def add_lane(self, name: str, label: str | None = None, kind: str | None = None) -> None:
        if name in self._lane_names():
            raise FigureError(f"lane '{name}' is there already")
        if kind is not None and kind not in LANE_KINDS:
            raise FigureError(f"unknown kind of lane '{kind}' (one of: {', '.join(LANE_KINDS)})")
        label = label or name
        self.lanes.append(Lane(name, label, kind or _kind_of(name, label)))

    def add_memory(self, name: str, label: str | None = None, start: str = MINE) -> None:
        if name in self._states:
            raise FigureError(f"memory '{name}' is there already")
        if start not in STARTS:
            raise FigureError(f"memory cannot start as '{start}' (one of: {', '.join(STARTS)})")
        self.memories.append(Memory(name, label or name, start))
        self._states[name] = start

    def add_event(self, source: str, target: str | None, text: str, actions=()) -> None:
        """`actions`: pairs of an action's name and the names of the memory it is done to."""
        for lane in (source, target):
            if lane is not None and lane not in self._lane_names():
                raise FigureError(f"unknown lane '{lane}' ({_known('lanes', self._lane_names())})")
        if source == target:
            raise FigureError(f"an arrow from '{source}' to itself; write a note: {source}: {text}")
        if not text:
            raise FigureError("an event without a text")
        states = dict(self._states)
        changes = []
        for action, names in actions:
            if action not in ACTIONS:
                raise FigureError(f"unknown action '{action}' after '|' (one of: {', '.join(ACTIONS)})")
            if not names:
                raise FigureError(f"'{action}' names no memory")
            for name in names:
                if name not in states:
                    raise FigureError(f"unknown memory '{name}' ({_known('memory', self._states)})")
                new = _STEPS.get((action, states[name]))
                if new is None:
                    raise FigureError(f"'{action} {name}' does not fit: {name} is {_STATE_WORDS[states[name]]} here")
                states[name] = new
                changes.append(Change(name, action, new))
        self._states = states
        self.events.append(Event(source, target, text, tuple(changes)))

    def check_complete(self) -> None:
        if not self.lanes:
            raise FigureError("a figure without a lane")
        if not self.events:
            raise FigureError("a figure without an event")

    def lane(self, name: str) -> Lane:
        return next(lane for lane in self.lanes if lane.name == name)

    def memory(self, name: str) -> Memory:
        return next(memory for memory in self.memories if memory.name == name)

    def spans(self, name: str) -> list[Span]:
        """The states that this memory passes through, in order; the last goes on to the end of the figure."""
        result = []
        state, first = self.memory(name).start, None
        for index, event in enumerate(self.events):
            after = [change.state for change in event.changes if change.memory == name]
            if after and after[-1] != state:
                result.append(Span(state, first, index))
                state, first = after[-1], index
        result.append(Span(state, first, None))
        return [span for span in result if span.state != NONE]

    def states_shown(self) -> list[str]:
        shown = {span.state for memory in self.memories for span in self.spans(memory.name)}
        return [state for state in (MINE, LENT, BACK, GONE, WILD) if state in shown]

    def _lane_names(self) -> list[str]:
        return [lane.name for lane in self.lanes]


def _known(what: str, names) -> str:
    names = list(names)
    return f"{what}: {', '.join(names)}" if names else f"the figure has no {what}"


def _kind_of(name: str, label: str) -> str:
    words = f"{name} {label}".lower()
    for kind, pattern in (
        ("thread", r"thread|worker"),
        ("queue", r"queue|\bport\b|\bevent\b"),
        ("kernel", r"kernel|\bsystem\b|\bstack\b"),
        ("peer", r"client|\bpeer\b|network"),
    ):
        if re.search(pattern, words):
            return kind
    return "thread"


# --- the text form

_DECLARATION = re.compile(r'^(lane|memory)\s+(\w+)(?:\s+"([^"]*)")?(?:\s+(\w+))?$')
_EVENT = re.compile(r"^(\w+)(?:\s*->\s*(\w+))?\s*:\s*(.*)$")


def parse(title: str, lines) -> tuple[Figure, list[tuple[int, str]]]:
    """Read a figure. Returns it with the mistakes found, each with the index of its line."""
    figure = Figure(title)
    problems = []
    last = 0
    for index, line in enumerate(lines):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        last = index
        try:
            _parse_line(figure, line)
        except FigureError as error:
            problems.append((index, str(error)))
    if not problems:
        try:
            figure.check_complete()
        except FigureError as error:
            problems.append((last, str(error)))
    return figure, problems


def _parse_line(figure: Figure, line: str) -> None:
    if re.match(r"(lane|memory)\s", line):
        match = _DECLARATION.match(line)
        if not match:
            raise FigureError(f'cannot read "{line}"; write: lane NAME "label"  or  memory NAME "label" mine')
        what, name, label, word = match.groups()
        if what == "lane":
            figure.add_lane(name, label, word)
        else:
            figure.add_memory(name, label, word or MINE)
        return
    head, *tails = re.split(r"\s\|(?:\s|$)", line)
    match = _EVENT.match(head.strip())
    if not match:
        raise FigureError(f'cannot read "{line}"; write: A -> B: text  or  A: text  or a lane or memory line')
    actions = []
    for tail in tails:
        words = tail.replace(",", " ").split()
        if not words:
            raise FigureError("nothing after '|'")
        actions.append((words[0], words[1:]))
    figure.add_event(match[1], match[2], match[3].strip(), actions)


# --- texts: words, and which of them are code


@dataclass(frozen=True)
class Word:
    text: str
    code: bool = False
    glued: bool = False  # to the word before it, without a space


_BACKTICKS = re.compile(r"(`+)(.+?)\1")
_PIECES = re.compile(r"""^(["'(]*)(\w+\([^()]*\)|.*?)((?:'s)?[.,:;!?"')]*)$""")
_CODE = re.compile(
    r"^(?:[a-z]+[A-Z]\w*|[A-Z][a-z]+[A-Z][a-z]\w*|[A-Z]{2,}[a-z]\w{2,}|[A-Za-z]\w*_\w+"
    r"|WSA[A-Z]+|[A-Z]{8,}|SOCKET|HANDLE|NULL|TRUE|FALSE|\w+\(.*\))$")


def words_of(text: str) -> list[Word]:
    """The words of a text; code is what stands in backticks, and names such as WSARecv or SO_SNDBUF."""
    words: list[Word] = []
    end = 0
    for match in _BACKTICKS.finditer(text):
        _add_plain(words, text, end, match.start())
        glued = match.start() > 0 and not text[match.start() - 1].isspace()
        for index, word in enumerate(match[2].split()):
            words.append(Word(word, True, glued and index == 0))
        end = match.end()
    _add_plain(words, text, end, len(text))
    return words


def _add_plain(words: list[Word], text: str, start: int, end: int) -> None:
    for match in re.finditer(r"\S+", text[start:end]):
        glued = match.start() == 0 and start > 0
        before, middle, after = _PIECES.match(match[0]).groups()
        if not _CODE.match(middle):
            words.append(Word(match[0], False, glued))
            continue
        for piece, code in ((before, False), (middle, True), (after, False)):
            if piece:
                words.append(Word(piece, code, glued))
                glued = True


# --- the figure in words


@dataclass(frozen=True)
class Words:
    intro: str
    steps: list[str]
    end: str | None


def in_words(figure: Figure) -> Words:
    """The figure as sentences: what there is, a step an event, and what is still lent at the end."""
    intro = f"From left to right: {_list(lane.label for lane in figure.lanes)}."
    for start, words in ((MINE, "belongs to the program|belong to the program"), (LENT, "is lent|are lent")):
        names = [memory.label for memory in figure.memories if memory.start == start]
        if names:
            intro += f" At the start {_the_list(names)} {_verb(names, words)}."
    steps = [_step(figure, event) for event in figure.events]
    left = [memory.label for memory in figure.memories if figure.spans(memory.name)
            and figure.spans(memory.name)[-1].state in (LENT, WILD)]
    end = f"At the end {_the_list(left)} {_verb(left, 'is still lent|are still lent')}." if left else None
    return Words(intro, steps, end)


_CHANGE_WORDS = {
    MINE: "now belongs to the program|now belong to the program",
    LENT: "is lent from here on|are lent from here on",
    BACK: "is back: the program may touch it again|are back: the program may touch them again",
    GONE: "is gone|are gone",
    WILD: "is freed while still lent: the system may write to it yet|"
          "are freed while still lent: the system may write to them yet",
}


def _step(figure: Figure, event: Event) -> str:
    source = _the(figure.lane(event.source).label)
    if event.target is None:
        step = f"At {source}: {event.text}"
    else:
        step = f"From {source} to {_the(figure.lane(event.target).label)}: {event.text}"
    if step[-1] not in ".!?":
        step += "."
    by_state: dict[str, list[str]] = {}
    for change in event.changes:
        by_state.setdefault(change.state, []).append(figure.memory(change.memory).label)
    for state, labels in by_state.items():
        sentence = f"{_the_list(labels)} {_verb(labels, _CHANGE_WORDS[state])}."
        step += " " + sentence[0].upper() + sentence[1:]
    return step


def _the(label: str) -> str:
    """A label as it stands in a sentence: 'the kernel', but 'worker 1', 'our thread' and 'client A'."""
    words = label.split()
    first, last = words[0].lower(), words[-1]
    has_its_own = first in {"the", "a", "an", "its", "our", "your", "my", "one", "another", "each", "every", "any"}
    is_a_name = last.isdigit() or re.fullmatch(r"[A-Z]|#?\d+", last) or any(
        re.fullmatch(r"([A-Z]|\d+)'s", word) for word in words)
    return label if has_its_own or is_a_name else f"the {label}"


def _list(labels) -> str:
    labels = list(labels)
    return labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} and {labels[-1]}"


def _the_list(labels) -> str:
    return _list(_the(label) for label in labels)


def _verb(labels: list[str], words: str) -> str:
    one, many = words.split("|")
    plural = len(labels) > 1 or " and " in labels[0] or re.search(r"[^s's]s$", labels[0])
    return many if plural else one
