"""Reads what was measured, docs/recorded/bench.json, as tests/bench/record writes it; and what the watch has counted,
tests/calls_per_echo.csv. Knows nothing of Sphinx."""

import csv
import json
import math
from dataclasses import dataclass

import sources

PATH = "docs/recorded/bench.json"
CALLS = "tests/calls_per_echo.csv"
NAMES = {"asio": "Asio", "asio-64k": "Asio, 64 KiB", "asio-2": "Asio, 2 threads", "asio-2-64k": "Asio, 2 threads, 64 KiB",
         "go": "Go", "epoll": "epoll, native"}
HOW = "./tutorial bench measures, tests/bench/record writes it"


@dataclass(frozen=True)
class Quantity:
    """One thing that is measured: what a cell of the record calls it, and how it is shown."""

    key: str
    title: str
    unit: str = ""
    logarithmic: bool = False


QUANTITIES = {
    "ratio": Quantity("ratio", "echoes a second, as a ratio to Asio"),
    "rate": Quantity("per_second", "echoes a second", logarithmic=True),
    "p50": Quantity("p50_ms", "half of the answers within", "ms", True),
    "p99": Quantity("p99_ms", "99 of 100 answers within", "ms", True),
    "p99-ratio": Quantity("p99_ratio", "99 of 100 answers within, as a ratio to Asio"),
    "cpu": Quantity("cpu_s", "processor seconds for 100,000 echoes: the server + the wineserver"),
    "unanswered": Quantity("unanswered", "clients without any answer"),
}


def number(value):
    """With three digits that count: 12,345, 123, 12.3, 1.23, 0.123."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


class Record:
    def __init__(self, root=None):
        path = (root or sources.ROOT) / PATH
        try:
            self.data = json.loads(path.read_text(encoding="utf-8"))
        except OSError:
            raise sources.Mistake(f"there is no {PATH}; {HOW}") from None

    @property
    def servers(self):
        return list(self.data["found"])

    @property
    def points(self):
        return list(self.data["points"])

    def title(self, point):
        """The head of a point's column."""
        about = self.data["points"][point]
        if about["mode"] == "connect":
            return "visits"
        return f"{about['clients']:,}" if about["size"] == 64 else f"{about['clients']} × {about['size'] // 1024} KiB"

    def cell(self, server, point):
        """What is known of a server at a point; a Mistake when nothing is."""
        for what, name, known in (("server", server, self.servers), ("point", point, self.points)):
            if name not in known:
                raise sources.Mistake(f"{PATH} has no {what} {name}; it has {', '.join(known)}; {HOW}")
        if point not in self.data["found"][server]:
            raise sources.Mistake(f"{PATH} has nothing of server {server} at point {point}; {HOW}")
        return self.data["found"][server][point]

    def memory(self, server):
        """KiB for each silent client: when to how much; or {"left out": why}."""
        known = self.data["memory"]["KiB"]
        if server not in known:
            raise sources.Mistake(f"{PATH} has no memory of server {server}; it has {', '.join(known) or 'none'}; {HOW}")
        return known[server]

    def requests(self, server):
        """Requests to the wineserver for each echo: number of clients to how many."""
        known = self.data["requests"]
        if server not in known:
            raise sources.Mistake(f"{PATH} has no requests of server {server}; it has {', '.join(known) or 'none'}; "
                                  "tests/bench/requests --json counts, tests/bench/record takes its lines")
        return known[server]


def rounded(value, digits):
    """With so many digits that count, for a sentence: 17,400, 3.6, 0.04. Zeros at the end of a fraction are left out."""
    scale = digits - 1 - math.floor(math.log10(value)) if value else 0
    text = f"{round(value, scale):,.{max(0, scale)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def said(record, server, point, what, digits=3):
    """One figure, as a page says it within a sentence."""
    if what == "requests":
        found = record.requests(server)
        if point not in found:
            raise sources.Mistake(f"{PATH} has no requests of server {server} with {point} clients; it has {', '.join(found)}; {HOW}")
        return rounded(found[point], digits)
    if what not in QUANTITIES or what == "cpu":
        raise sources.Mistake(f"there is no figure {what}; there are requests, {', '.join(name for name in QUANTITIES if name != 'cpu')}")
    key = QUANTITIES[what].key
    cell = record.cell(server, point)
    if cell.get(key) is None:
        raise sources.Mistake(f"{PATH} has no {what} of server {server} at point {point}; {HOW}")
    return f"{cell[key]:,}" if what == "unanswered" else rounded(cell[key][0], digits)


def calls_per_echo(root=None):
    """From the number of a chapter to its row."""
    try:
        with open((root or sources.ROOT) / CALLS, encoding="utf-8", newline="") as file:
            return {row["chapter"]: row for row in csv.DictReader(file)}
    except OSError:
        raise sources.Mistake(f"there is no {CALLS}") from None


def name(server):
    """As a reader calls it: `12 orderly end`, `17 echo server --no-defer`, `Asio`."""
    base, *arguments = server.split(":")
    folder = sources.folders().get(base)
    return " ".join([folder.replace("_", " ") if folder else NAMES.get(base, base), *arguments])


def shown(quantity, cell):
    """(the figure, what stands smaller behind it)."""
    if "left out" in cell:
        return "–", cell["left out"]
    value = cell.get(quantity.key)
    if value is None:
        return "–", ""
    if quantity.key == "unanswered":
        return f"{value:,}", ""
    if quantity.key == "cpu_s":
        return " + ".join(number(each) for each in value if each), ""
    middle, least, most = value
    unit = f" {quantity.unit}" if quantity.unit else ""
    ranged = f"{number(least)}–{number(most)}" if cell["pairs"] > 1 and least != most else ""
    return number(middle) + unit, ranged
