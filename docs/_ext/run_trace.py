"""A recorded run: docs/recorded/NN.trace.jsonl, as tests/docs/record_traces writes it, and the figure that it makes.

A line is a record of the watch's trace without what no two runs have in common: no times, no system's thread numbers,
and addresses are counted up from 0x1. What the clients did stands between them: {"event":"client","client":1,
"does":"sends","bytes":6}, and {"event":"ctrl_c"} where the server was asked to end.

Knows nothing of Sphinx. What a figure is: lanes_model.py.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from typing import NamedTuple

import lanes_model

# What a figure leaves out: it is there for whoever reads the file.
SILENT = {"start", "thread_end", "socket", "event_object", "close_event", "end"}

# A call that gives the program something is an arrow towards the program.
ASKS = {"accept", "recv", "WSAPoll", "WSAWaitForMultipleEvents", "WSAEnumNetworkEvents", "getsockname", "getpeername",
        "GetAcceptExSockaddrs"}

WAITS = {"WSAPoll", "WSAWaitForMultipleEvents"}

LABELS = {"client": "client", "clients": "clients", "kernel": "kernel", "queue": "the port's queue"}


class Mistake(Exception):
    """Why a trace or a choice from it makes no figure; one line for the author."""


def read(text: str, name: str = "the trace") -> list[dict]:
    records = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        if not isinstance(record, dict) or "event" not in record:
            raise Mistake(f"{name}:{number} is not a line of a trace: {line[:60]}")
        records.append(record)
    return records


def calls_of(records: list[dict]) -> dict[int, str]:
    """From each operation to the call that has submitted it."""
    return {record["operation"]: record["call"] for record in records if record["event"] == "submit"}


def words_of(record: dict, calls: dict[int, str]) -> set[str]:
    """The words by which a record is named: `packet`, `WSARecv`, `s2`, `#3`, `failed`, `995` …"""
    words = {record["event"]}
    for name in ("call", "outcome", "error", "error_name", "does"):
        if name in record:
            words.add(str(record[name]))
    for name, letter in (("socket", "s"), ("operation", "#"), ("port", "p"), ("client", "c")):
        if name in record:
            words.add(f"{letter}{record[name]}")
    if "operation" in record:
        words.add(calls.get(record["operation"], ""))
    if record.get("posted"):
        words.add("posted")
    return words - {""}


@dataclass(frozen=True)
class Choice:
    """Which part of a run is drawn. A record is named by some of its words; the first such record counts."""

    first: str | None = None
    last: str | None = None
    until: str | None = None  # as `last`, but this one is left out
    sockets: frozenset[int] = frozenset()  # only these, and what is on no socket; none: all
    without: tuple[str, ...] = ()  # records that have all the words of one of these


def chosen(records: list[dict], choice: Choice) -> range:
    """The indices from the first record to the last."""
    calls = calls_of(records)

    def find(named: str, begin: int) -> int:
        wanted = set(named.split())
        for index in range(begin, len(records)):
            if wanted <= words_of(records[index], calls):
                return index
        raise Mistake(f"no record is named '{named}'" + (f" after record {begin}" if begin else ""))

    begin = find(choice.first, 0) if choice.first else 0
    if choice.until:
        return range(begin, find(choice.until, begin))
    return range(begin, find(choice.last, begin) + 1 if choice.last else len(records))


def figure(title: str, records: list[dict], choice: Choice = Choice()) -> lanes_model.Figure:
    return _Builder(records, choice).build(title)


@dataclass(frozen=True)
class Step:
    """What a row of a figure is, to step through it."""

    record: dict
    who: str  # the thread, or who else does it
    text: str
    lent: tuple[str, ...]  # the labels of what is lent afterwards
    waits: tuple[str, ...]  # what has ended and is told of later


def stepped(title: str, records: list[dict], choice: Choice = Choice()) -> tuple[lanes_model.Figure, list[Step]]:
    """A figure and its steps."""
    builder = _Builder(records, choice)
    if builder.several_clients:
        raise Mistake("of several clients nobody can say from a trace which of them has ended an operation")
    made = builder.build(title)
    return made, builder.steps(made)


class Key(NamedTuple):
    """A piece of memory, as far as a figure tells one from another."""

    what: str
    socket: int
    place: str
    of_accept: bool = False


@dataclass
class _Row:
    source: str
    target: str | None
    text: str
    lends: list[Key] = field(default_factory=list)
    backs: list[Key] = field(default_factory=list)
    index: int = 0  # of the record


# What ends a pending operation, by the call that has submitted it.
ENDS = {"AcceptEx": {"connects"}, "WSARecv": {"sends", "half-closes", "closes"}}


class _Builder:
    def __init__(self, records: list[dict], choice: Choice):
        self.records, self.choice = records, choice
        self.calls = calls_of(records)
        self.submits = {record["operation"]: record for record in records if record["event"] == "submit"}
        self.rows: list[_Row] = []
        self.lent: set[Key] = set()  # at this moment
        self.lent_before: set[Key] = set()  # … and where the figure begins
        self.held: dict[int, list[Key]] = {}  # by the operations in flight
        listeners = {record["socket"] for record in records if record.get("call") == "listen"}
        self.listener = min(listeners, default=0)
        self.of_clients = {record["socket"] for record in records
                           if record.get("call") in ("recv", "send", "WSARecv", "WSASend")}
        self.several_clients = len({record["client"] for record in records if record["event"] == "client"}) > 1

    def build(self, title: str) -> lanes_model.Figure:
        part = chosen(self.records, self.choice)
        merged: set[int] = set()
        left_out: dict[Key, dict] = {}
        for index, record in enumerate(self.records[: part.stop]):
            if index == part.start:
                self.lent_before = set(self.lent)
            if index in merged:
                continue
            row = self.row(index, merged)
            inside = index >= part.start and row is not None and self.is_wanted(record)
            lends, backs = self.changes(record)
            if inside:
                row.lends, row.backs, row.index = lends, backs, index
                self.rows.append(row)
            elif index >= part.start:
                left_out.update(dict.fromkeys((*lends, *backs), record))
        if not self.rows:
            raise Mistake("nothing is left to draw")
        for row in self.rows:
            for key in (*row.lends, *row.backs):
                if key in left_out:
                    record = left_out[key]
                    raise Mistake("what is left out lends, or gives back, memory that is shown: "
                                  f"{record['event']} #{record['operation']}")
        self.share_bars()
        return self.drawn(title)

    def is_wanted(self, record: dict) -> bool:
        words = words_of(record, self.calls)
        if any(set(some.split()) <= words for some in self.choice.without):
            return False
        if not self.choice.sockets or "socket" not in record:
            return True
        submit = self.submits.get(record.get("operation"), {})
        return bool({record["socket"], submit.get("accept_socket")} & self.choice.sockets)

    # --- memory

    def changes(self, record: dict) -> tuple[list[Key], list[Key]]:
        if record["event"] == "submit":
            lends = [self.key(record, memory) for memory in record["memory"] if memory["bytes"]]
            self.lent.update(lends)
            self.held[record["operation"]] = lends
            return lends, []
        if "operation" not in record or not (record.get("back") or record["event"] in ("packet", "routine")):
            return [], []
        backs = self.held.pop(record["operation"], [])
        self.lent.difference_update(backs)
        return [], backs

    def key(self, submit: dict, memory: dict) -> Key:
        """What a piece of memory is known by. An accept may have its memory anew each time, or again: that is all one,
        it takes the first place that is free."""
        what = "OVERLAPPED" if memory["what"] == "OVERLAPPED" else "buffer"
        if submit["call"] != "AcceptEx":
            return Key(what, submit["socket"], memory["address"])
        places = (Key(what, submit["socket"], f"accept {number}", True) for number in itertools.count(1))
        return next(key for key in places if key not in self.lent)

    def share_bars(self) -> None:
        """A buffer that the figure tells no more of makes room for the next one of its socket."""
        last = {key: number for number, row in enumerate(self.rows) for key in (*row.lends, *row.backs)}
        holds: dict[Key, Key] = {}  # from a bar, known by the first buffer in it, to the buffer that it is for now

        def bar_of(key: Key, number: int) -> Key:
            if key.what != "buffer" or key.of_accept:
                return key
            own = [bar for bar, held in holds.items() if held == key]
            free = [bar for bar, held in holds.items() if held.socket == key.socket and last[held] < number]
            bar = next(iter(own + free), key)
            holds[bar] = key
            return bar

        for number, row in enumerate(self.rows):
            row.backs = [bar_of(key, number) for key in row.backs]
            row.lends = [bar_of(key, number) for key in row.lends]

    def bars(self) -> list[tuple[list[Key], str]]:
        """Memory that is always lent and given back together shares a bar."""
        history: dict[Key, list] = {}
        for number, row in enumerate(self.rows):
            for action, keys in (("lend", row.lends), ("back", row.backs)):
                for key in keys:
                    history.setdefault(key, []).append((number, action))
        groups: dict[tuple, list[Key]] = {}
        for key, happened in history.items():
            groups.setdefault((key.of_accept, key.socket, *happened), []).append(key)
        return [(keys, self.label(keys, groups.values())) for keys in groups.values()]

    def label(self, keys: list[Key], groups) -> str:
        parts = [self.part(key, [other for group in groups for other in group
                                 if (other.what, other.socket, other.of_accept) == (key.what, key.socket, key.of_accept)])
                 for key in keys]
        label = " and ".join(dict.fromkeys(parts))
        if keys[0].of_accept:
            return f"accept's {label}"
        sockets = {key.socket for group in groups for key in group if not key.of_accept}
        return f"{label} of s{keys[0].socket}" if len(sockets) > 1 else label

    def part(self, key: Key, alike: list[Key]) -> str:
        """alike: the memory of the same kind on this socket, itself included."""
        if key.of_accept:
            return "OVERLAPPED" if key.what == "OVERLAPPED" else "addresses"
        if len(alike) == 1:
            return key.what
        if key.what == "buffer":
            return f"{('first', 'second', 'third', 'fourth')[alike.index(key)]} buffer"
        calls = {submit["call"] for submit in self.submits.values() if submit["overlapped"] == key.place}
        return {"WSARecv": "receive's OVERLAPPED", "WSASend": "send's OVERLAPPED"}.get("".join(calls), "OVERLAPPED")

    # --- rows

    def row(self, index: int, merged: set[int]) -> _Row | None:
        record = self.records[index]
        event = record["event"]
        if event in SILENT:
            return None
        make = getattr(self, f"row_{event}", None)
        return make(record, index, merged) if make else None

    @staticmethod
    def thread(record: dict) -> str:
        return f"t{record['thread']}"

    def row_client(self, record, index, merged):
        who = f"client {record['client']} " if self.several_clients else ""
        what = f"sends {_bytes(record['bytes'])}" if record["does"] == "sends" else record["does"]
        return _Row("client", "kernel", who + what)

    def row_ctrl_c(self, record, index, merged):
        return _Row("kernel", None, "Ctrl+C")

    def row_call(self, record, index, merged):
        call, thread = record["call"], self.thread(record)
        text = f"`{call}`"
        if record["outcome"] == "failed":
            text += f" fails: {record['error']}"
        elif "bytes" in record:
            text += f": {_bytes(record['bytes'])}"
        elif call == "accept":
            text += f": s{self.accepted_by(index)}"
        elif call in WAITS:
            text += " returns"
        if call != "accept":
            text += self.on(record.get("socket"))
        return _Row("kernel", thread, text) if call in ASKS else _Row(thread, "kernel", text)

    def on(self, socket: int | None) -> str:
        """Which socket, where that is not plain."""
        if socket is None or (socket in self.of_clients and not self.several_clients):
            return ""
        return ", the listener" if socket == self.listener else f", s{socket}"

    def accepted_by(self, index: int) -> int:
        return next(record["socket"] for record in self.records[index:] if record["event"] == "socket")

    def row_close(self, record, index, merged):
        return _Row(self.thread(record), "kernel", f"`{record['call']}`" + self.on(record["socket"]))

    def row_associate(self, record, index, merged):
        return _Row(self.thread(record), "queue", f"`CreateIoCompletionPort`: s{record['socket']}, key {record['key']}")

    def row_skip_mode(self, record, index, merged):
        return _Row(self.thread(record), "kernel", "skip mode on")

    def row_submit(self, record, index, merged):
        text = f"`{record['call']}`"
        size = sum(memory["bytes"] for memory in record["memory"] if memory["what"] == "buffer")
        if record["call"] == "WSASend" or size == 0:
            text += f", {_bytes(size)}"
        if record["call"] != "AcceptEx":
            text += self.on(record["socket"])
        follower = self.records[index + 1] if index + 1 < len(self.records) else {}
        if follower.get("event") == "return" and follower["operation"] == record["operation"] \
                and follower["outcome"] == "pending":
            merged.add(index + 1)
            text += ": pending"
        return _Row(self.thread(record), "kernel", text)

    def row_return(self, record, index, merged):
        call = f"`{record['call']}` "
        if record["outcome"] == "immediate":
            # How many bytes it was is known where the program has asked for it.
            known = record["back"] and "bytes" in record
            text = call + (f"returns: {_bytes(record['bytes'])}, at once" if known else "returns: done at once")
        elif record["outcome"] == "failed":
            text = call + f"fails: {record['error']}"
        else:
            text = call + "returns: pending"
        return _Row("kernel", self.thread(record), text)

    def row_packet(self, record, index, merged):
        if record.get("posted"):
            return _Row("queue", self.thread(record), f"the posted packet, key {record['key']}")
        call = self.calls.get(record.get("operation"), "")
        text = f"packet: `{call}`" if call else "packet"
        if call != "AcceptEx":
            text += self.on(record.get("socket"))
        if record["outcome"] == "failed":
            text += f", failed: {record['error']}"
        else:
            text += ", a client" if call == "AcceptEx" else f", {_bytes(record['bytes'])}"
        return _Row("queue", self.thread(record), text)

    def row_result(self, record, index, merged):
        if not record["back"]:
            return None  # asked of an operation whose packet has given the memory back before
        accept = self.calls.get(record["operation"]) == "AcceptEx"
        text = f"failed: {record['error']}" if record["outcome"] == "failed" else \
            "a client" if accept else _bytes(record["bytes"])
        return _Row("kernel", self.thread(record), f"`WSAGetOverlappedResult`: {text}")

    def row_routine(self, record, index, merged):
        return _Row("kernel", self.thread(record), f"the completion routine: {_bytes(record['bytes'])}")

    def row_wait_failed(self, record, index, merged):
        return _Row("queue", self.thread(record), f"no packet: {record['error']}")

    def row_post(self, record, index, merged):
        return _Row(self.thread(record), "queue", f"`PostQueuedCompletionStatus`, key {record['key']}")

    def row_cancel(self, record, index, merged):
        if "operation" in record:
            return _Row(self.thread(record), "kernel", f"`CancelIoEx`: the `{self.calls[record['operation']]}`")
        return _Row(self.thread(record), "kernel", "`CancelIoEx`: all" + self.on(record["socket"]).replace(",", " of"))

    # --- steps

    def steps(self, made: lanes_model.Figure) -> list[Step]:
        names = self.threads()
        waiting = self.waiting()
        result = []
        for number, row in enumerate(self.rows):
            record = self.records[row.index]
            lent = tuple(memory.label for memory in made.memories if self.is_lent(made, memory.name, number))
            waits = tuple(text for ended, told, text in waiting if ended <= row.index < told)
            who = names.get(f"t{record.get('thread')}") or made.lane(row.source).label
            result.append(Step(record, who, row.text, lent, waits))
        return result

    @staticmethod
    def is_lent(made: lanes_model.Figure, name: str, number: int) -> bool:
        return any(span.state == lanes_model.LENT and (span.first is None or span.first <= number)
                   and (span.last is None or number < span.last) for span in made.spans(name))

    def waiting(self) -> list[tuple[int, int, str]]:
        """What waits to be told, and while: from the record by which it has ended to the one that tells of it."""
        result = []
        for at, submit in enumerate(self.records):
            if submit["event"] != "submit":
                continue
            later = list(enumerate(self.records[at + 1:], at + 1))
            own = [(index, record) for index, record in later if record.get("operation") == submit["operation"]]
            told = next((index for index, record in own if record["event"] in ("packet", "routine") or record.get("back")),
                        len(self.records))
            returned = next((index for index, record in own if record["event"] == "return"), told)
            if self.records[returned].get("outcome") == "immediate":
                ended = min(at if told < returned else returned, told)
            else:
                ended = max((index for index, record in later if index < told and self.ends(record, submit)), default=told)
            bytes_ = self.records[told].get("bytes") if told < len(self.records) else None
            size = "" if bytes_ is None or submit["call"] == "AcceptEx" else f", {_bytes(bytes_)}"
            result.append((ended, told, f"`{submit['call']}`{size}"))
        posts = [index for index, record in enumerate(self.records) if record["event"] == "post"]
        posted = [index for index, record in enumerate(self.records) if record.get("posted")]
        return result + [(at, told, "a posted packet") for at, told in zip(posts, posted)]

    def ends(self, record: dict, submit: dict) -> bool:
        if record["event"] == "client":
            return record["does"] in ENDS.get(submit["call"], set())
        return record["event"] in ("cancel", "close") and record.get("socket") == submit["socket"]

    # --- the figure

    def drawn(self, title: str) -> lanes_model.Figure:
        made = lanes_model.Figure(title)
        used = {name for row in self.rows for name in (row.source, row.target) if name}
        kinds = {"client": "peer", "kernel": "kernel", "queue": "queue"}
        for name in ("client", "kernel", "queue"):
            if name in used:
                made.add_lane(name, LABELS["clients" if name == "client" and self.several_clients else name],
                              kinds[name])
        for name, label in self.threads().items():
            if name in used:
                made.add_lane(name, label, "thread")
        names = {}
        for number, (keys, label) in enumerate(self.bars(), 1):
            made.add_memory(f"m{number}", label, lanes_model.LENT if keys[0] in self.lent_before else lanes_model.MINE)
            names |= dict.fromkeys(keys, f"m{number}")
        for row in self.rows:
            actions = [(action, list(dict.fromkeys(names[key] for key in keys)))
                       for action, keys in (("back", row.backs), ("lend", row.lends)) if keys]
            made.add_event(row.source, row.target, row.text, actions)
        return made

    def threads(self) -> dict[str, str]:
        """Each thread's name is its part: the first is the main one, who takes packets is a worker."""
        threads = sorted({record["thread"] for record in self.records if record.get("thread")})
        workers = {record["thread"] for record in self.records if record["event"] == "packet"} - {1}
        if len(threads) == 1:
            return {"t1": "the server's thread"}
        labels = {"t1": "main thread"}
        for number, thread in enumerate(threads[1:], 1):
            if thread in workers:
                labels[f"t{thread}"] = "worker" if len(threads) == 2 else f"worker {number}"
            else:
                labels[f"t{thread}"] = f"client {number}'s thread"
        return labels


def _bytes(count: int) -> str:
    return "1 byte" if count == 1 else f"{count} bytes"
