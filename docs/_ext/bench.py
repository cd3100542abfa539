"""What `./tutorial bench` has measured, as tables and charts. The figures are those of docs/recorded/bench.json.

    .. bench-table:: ratio
       :servers: 12 13 asio-64k 17:--no-defer
       :points: 1 64 1000 64k connect

    .. bench-chart:: p99 How long 99 of 100 answers take at most
       :name: fig-speed-p99
       :servers: asio 12 17

    .. bench-chart:: memory Memory for each silent client
       :servers: asio 12 17

    .. bench-memory:: 12 17

    .. bench-requests:: 12 17 17:--no-skip

    .. bench-machine::

    .. calls-per-echo::

    :bench:`14 1 rate`, :bench:`13 64 p50 1`, :bench:`08:--workers=2 1 requests`

The role is one figure within a sentence: server, point, quantity or requests, and how many digits count (else three). The table
of calls shows tests/calls_per_echo.csv, which a test compares with what the watch counts. A table or a chart shows one
quantity: ratio, rate, p50, p99, p99-ratio, cpu or unanswered. What the record does not have stops the build.
Reading is in bench_record.py, drawing in bench_svg.py.
"""

import zlib
from pathlib import Path

import bench_record
import bench_svg
import cards
import lanes
import sources
from bench_record import QUANTITIES
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective, SphinxRole

HERE = Path(__file__).resolve().parent
COLOURS = ["asio", "12", "13", "14", "15", "16", "17", "go", "epoll"]  # a server has the same one in every chart


def words(argument):
    return directives.unchanged_required(argument).split()


class Reader:
    """What the directives have in common."""

    def record(self):
        self.env.note_dependency(str(sources.ROOT / bench_record.PATH))
        self.env.note_dependency(str(sources.ROOT / "chapters/ladder.csv"))
        return bench_record.Record()

    def mistake(self, problem):
        return self.error(f"{self.name}: {problem}")

    def quantity(self, word):
        if word not in QUANTITIES:
            raise sources.Mistake(f"there is no quantity {word}; there are {', '.join(QUANTITIES)}")
        return QUANTITIES[word]

    def linked(self, server):
        """The name of a server; a chapter's number leads to its page."""
        folders = sources.folders()
        folder, text = folders.get(server.split(":")[0]), bench_record.name(server)
        if folder is None or f"chapters/{folder}" not in self.env.found_docs:
            return [nodes.Text(text)]
        return [cards.page_link(f"chapters/{folder}", nodes.Text(text[:len(folder)])), nodes.Text(text[len(folder):])]


def table(heads, body):
    """The first column holds names, the others figures."""
    result = nodes.table(classes=["bench", "stacks"])
    group = nodes.tgroup(cols=len(heads))
    result += group
    for at in range(len(heads)):
        group += nodes.colspec(colwidth=1 if at else 2)
    head, rows = nodes.thead(), nodes.tbody()
    group += [head, rows]
    head += nodes.row("", *[nodes.entry("", nodes.paragraph("", text)) for text in heads])
    for cells in body:
        rows += nodes.row("", *[nodes.entry("", nodes.paragraph("", "", *cell)) for cell in cells])
    return result


def figure_and_range(text, smaller):
    return [nodes.Text(text)] + ([nodes.Text(" "), nodes.inline("", smaller, classes=["range"])] if smaller else [])


class Table(Reader, SphinxDirective):
    """.. bench-table:: QUANTITY"""

    required_arguments = 1
    option_spec = {"servers": words, "points": words}

    def run(self):
        try:
            record, quantity = self.record(), self.quantity(self.arguments[0])
            servers = self.options.get("servers", record.servers)
            points = self.options.get("points", record.points)
            body = []
            for server in servers:
                cells = [record.cell(server, point) for point in points]
                body.append([self.linked(server), *(self.figures(quantity, cell) for cell in cells)])
            return [table(["clients", *map(record.title, points)], body)]
        except sources.Mistake as problem:
            raise self.mistake(problem) from None

    @staticmethod
    def figures(quantity, cell):
        """What stands in a cell, and what was wrong with it."""
        text, smaller = bench_record.shown(quantity, cell)
        notes = []
        if cell.get("unanswered") and quantity.key in ("per_second", "ratio", "p50_ms", "p99_ms", "p99_ratio"):
            notes.append(f"{cell['unanswered']:,} unanswered")
        if "failed" in cell:
            notes.append(f"{cell['failed']} failed")
        found = figure_and_range(text, smaller)
        for note in notes:
            found += [nodes.Text(" "), nodes.inline("", note, classes=["unanswered"])]
        return found


class Memory(Reader, SphinxDirective):
    """.. bench-memory:: 12 17: KiB for each silent client"""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self):
        try:
            record = self.record()
            body = []
            for server in self.arguments[0].split():
                kib = record.memory(server)
                cells = [[nodes.Text(f"{kib[when]:.1f} KiB" if when in kib else "–")]
                         for when in ("fresh", "after 64 KiB", "all gone")]
                if "left out" in kib:
                    cells[0] = figure_and_range("–", kib["left out"])
                body.append([self.linked(server), *cells])
            clients = f"{record.data['memory']['clients']:,}"
            return [table([f"{clients} silent clients, each costs", "from the start", "after 64 KiB", "when all are gone"], body)]
        except sources.Mistake as problem:
            raise self.mistake(problem) from None


class Requests(Reader, SphinxDirective):
    """.. bench-requests:: 12 17: requests to the wineserver for each echo"""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self):
        try:
            record = self.record()
            servers = self.arguments[0].split()
            found = [record.requests(server) for server in servers]
        except sources.Mistake as problem:
            raise self.mistake(problem) from None
        counts = sorted({count for each in found for count in each}, key=int)
        heads = ["requests for an echo", *(f"{count} client{'' if count == '1' else 's'}" for count in counts)]
        return [table(heads, [[self.linked(server), *([nodes.Text(f"{each[count]:.1f}" if count in each else "–")] for count in counts)]
                              for server, each in zip(servers, found)])]


class Machine(Reader, SphinxDirective):
    """.. bench-machine::, on what it was measured and how often"""

    def run(self):
        try:
            return [nodes.paragraph("", self.sentence(self.record()))]
        except sources.Mistake as problem:
            raise self.mistake(problem) from None

    @staticmethod
    def sentence(record):
        about = record.data["machine"]
        counts = sorted({cell["pairs"] for cells in record.data["found"].values() for cell in cells.values() if "pairs" in cell})
        often = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        core = "server, wineserver and load on one of them" if record.data["one core"] else "the load on another one than the server"
        times = "time" if often == "1" else "times"
        seconds = record.data["seconds"]
        full = record.data["servers"].get("17")
        tricks = f" The full server had on: {', '.join(full['tricks'])}." if full else ""
        return (f"The figures on this page: {about['system']}, {about['processors']} processors, {core}; "
                f"each server {often} {times} at each point, for {seconds:g} second{'' if seconds == 1 else 's'}.{tricks}")


class Calls(Reader, SphinxDirective):
    """.. calls-per-echo::, or with the chapters to show"""

    optional_arguments = 1
    final_argument_whitespace = True

    def run(self):
        self.env.note_dependency(str(sources.ROOT / bench_record.CALLS))
        self.env.note_dependency(str(sources.ROOT / "chapters/ladder.csv"))
        try:
            rows = bench_record.calls_per_echo()
            for number in (chosen := self.arguments[0].split() if self.arguments else list(rows)):
                if number not in rows:
                    raise sources.Mistake(f"{bench_record.CALLS} has no chapter {number}; it has {', '.join(rows)}")
        except sources.Mistake as problem:
            raise self.mistake(problem) from None
        columns = {"receives": "receives", "sends": "sends", "dequeues": "dequeues", "posts": "posts", "sum": "one client, slow",
                   "busy_at_most": "64 at once, at most"}
        if all(float(rows[number]["posts"]) == 0 for number in chosen):
            del columns["posts"]
        return [table(["calls for an echo", *columns.values()],
                      [[self.linked(number), *([nodes.Text(rows[number][column])] for column in columns)] for number in chosen])]


class Figure(Reader, SphinxRole):
    """:bench:`SERVER POINT QUANTITY [DIGITS]`"""

    def run(self):
        parts = self.text.split()
        try:
            if len(parts) not in (3, 4) or not (parts[3:] or ["1"])[0].isdigit():
                raise sources.Mistake(f"'{self.text}' is not a server, a point, a quantity and perhaps how many digits count")
            return [nodes.Text(bench_record.said(self.record(), *parts[:3], *map(int, parts[3:])))], []
        except sources.Mistake as problem:
            message = self.inliner.reporter.error(f"bench: {problem}", line=self.lineno)
            return [self.inliner.problematic(self.rawtext, self.rawtext, message)], [message]


class Chart(Reader, lanes.Lanes):
    """.. bench-chart:: QUANTITY TITLE, or memory TITLE"""

    required_arguments = 2
    has_content = False
    option_spec = {"name": directives.unchanged, "servers": words, "points": words}

    def run(self):
        kind, title = self.arguments
        title, messages = self.title(title)
        try:
            record = self.record()
            servers = self.options.get("servers", record.servers)
            chart = (memory_chart if kind == "memory" else self.lines)(record, servers, title.astext())
            return [self.shown(title, chart), *messages]
        except sources.Mistake as problem:
            raise self.mistake(problem) from None

    def lines(self, record, servers, title):
        quantity = self.quantity(self.arguments[0])
        if quantity.key == "cpu_s":
            raise sources.Mistake("cpu is two figures: use a table")
        points = self.options.get("points", [point for point in record.points if point.isdigit()])
        series, said = [], []
        for at, server in enumerate(servers):
            cells = [record.cell(server, point) for point in points]
            values = [cell.get(quantity.key) for cell in cells]
            middles = [value[0] if isinstance(value, list) else value for value in values]
            series.append(bench_svg.Series(bench_record.name(server), colour(server, at), middles,
                                           [value[1:] if isinstance(value, list) else None for value in values]))
            texts = [" ".join(filter(None, bench_record.shown(quantity, cell))) for cell in cells]
            said.append(f"{bench_record.name(server)}: {', '.join(texts)}")
        places = [record.title(point) for point in points]
        unit = f", {quantity.unit}" if quantity.unit else ""
        return bench_svg.Chart(title, "lines", places, series, quantity.title + unit, "clients", quantity.logarithmic,
                               1 if "ratio" in quantity.key else None, [f"With {', '.join(places)} clients, {quantity.title}", *said])

    @staticmethod
    def _words(chart):
        first, *rest = chart.words
        lines = nodes.bullet_list(bullet="-")
        for line in rest:
            lines += nodes.list_item("", nodes.paragraph("", line))
        return lanes.lanes_words("", nodes.paragraph("", first + ":"), lines)


def memory_chart(record, servers, title):
    whens = {"from the start": "fresh", "after 64 KiB each": "after 64 KiB"}
    found = [record.memory(server) for server in servers]
    series = [bench_svg.Series(label, colour, [kib.get(when) for kib in found])
              for (label, when), colour in zip(whens.items(), (1, 6))]
    if not any(value is not None for each in series for value in each.values):
        raise sources.Mistake(f"{bench_record.PATH} has no memory of any of these servers")
    said = []
    for server, kib in zip(servers, found):
        texts = [f"{kib[when]:.1f} {label}" for label, when in whens.items() if when in kib]
        said.append(f"{bench_record.name(server)}: {', '.join(texts) or kib.get('left out', '–')}")
    clients = f"{record.data['memory']['clients']:,}"
    return bench_svg.Chart(title, "bars", [bench_record.name(server) for server in servers], series,
                           f"KiB for each of {clients} silent clients", words=["KiB for each silent client", *said])


def colour(server, at):
    return COLOURS.index(server) if server in COLOURS else len(COLOURS) + at % 3


def drawings(chart, identifier):
    try:
        return bench_svg.legend(chart) + "".join(bench_svg.draw(chart, identifier, style)
                                                 for style in (bench_svg.WIDE, bench_svg.NARROW))
    except bench_svg.NoMatplotlib as problem:
        raise ExtensionError(str(problem)) from None


def setup(app):
    app.setup_extension("lanes")
    lanes.DRAWN[bench_svg.Chart] = drawings
    app.add_directive("bench-table", Table)
    app.add_directive("bench-memory", Memory)
    app.add_directive("bench-requests", Requests)
    app.add_directive("bench-machine", Machine)
    app.add_directive("bench-chart", Chart)
    app.add_directive("calls-per-echo", Calls)
    app.add_role("bench", Figure())
    app.add_css_file("bench.css")
    version = zlib.crc32(b"".join(path.read_bytes() for path in sorted(HERE.glob("bench*.py"))))
    return {"version": "1", "env_version": version, "parallel_read_safe": True, "parallel_write_safe": True}
