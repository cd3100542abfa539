"""matrix: the cells of one outcome of a submit. matrix-card: all cells on one sheet. Both show docs/encores/matrix.csv, which
tests/matrix compares with what happens."""

import csv

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

import checks
import sources

TABLE = "docs/encores/matrix.csv"
COLUMNS = ["outcome", "way", "told by", "on which thread", "how often", "back when", "test"]
OUTCOMES = {"success": "0: it has succeeded", "pending": "997: it is pending", "failure": "any other code: it has failed"}
WAYS = {
    "event": "an event", "routine": "a completion routine", "port": "a port", "skip mode": "a port in skip mode",
    "port and event": "a port and an event", "low bit": "a port and an event with the low bit set",
}


def read(root=sources.ROOT):
    """(outcome, way) to the row."""
    with open(root / TABLE, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(line for line in file if line.strip() and not line.startswith("#")))
    found = {}
    for row in rows:
        if list(row) != COLUMNS or None in row.values():
            raise sources.Mistake(f"{TABLE} has not the columns {', '.join(COLUMNS)}")
        found[row["outcome"], row["way"]] = row
    wanted = [(outcome, way) for outcome in OUTCOMES for way in WAYS]
    if list(found) != wanted or len(rows) != len(wanted):
        raise sources.Mistake(f"{TABLE} has not one row for each outcome and way, in their order")
    return found


class Matrix(SphinxDirective):
    def cells(self):
        self.env.note_dependency(str(sources.ROOT / TABLE))
        try:
            found = read()
            known = {name for name, *_ in checks.all_checks(self.env)["matrix"]}
        except sources.Mistake as mistake:
            raise self.error(f"matrix: {mistake}")
        for row in found.values():
            if row["test"] not in known:
                raise self.error(f"matrix: tests/matrix has no case '{row['test']}'")
        return found

    @staticmethod
    def table(kind, widths, titles, rows):
        result = nodes.table(classes=[kind])
        group = nodes.tgroup(cols=len(titles))
        result += group
        for width in widths:
            group += nodes.colspec(colwidth=width)
        head = nodes.row("", *[nodes.entry("", nodes.paragraph("", title)) for title in titles])
        group += [nodes.thead("", head), nodes.tbody("", *rows)]
        return result


class OutcomeTable(Matrix):
    """.. matrix:: success, pending or failure"""

    required_arguments = 1

    def run(self):
        wanted = self.arguments[0]
        if wanted not in OUTCOMES:
            raise self.error(f"matrix: the outcomes are {', '.join(OUTCOMES)}")
        rows = []
        for (outcome, way), cell in self.cells().items():
            if outcome == wanted:
                test = nodes.reference("", "test", internal=True, refuri="", classes=["check"], reftitle=cell["test"])
                test["book_check"] = checks.anchor("matrix", cell["test"])
                row = nodes.row("", entry(nodes.Text(WAYS[way])), entry(nodes.strong("", cell["told by"])),
                                *[entry(nodes.Text(cell[column])) for column in COLUMNS[3:6]], entry(test))
                row["book_cell"] = outcome, way
                rows.append(row)
        titles = ["Notification", "Told by", "On which thread", "How often", "Back when", "Shown"]
        return [self.table("matrix", (20, 18, 22, 9, 23, 8), titles, rows)]


class Card(Matrix):
    """.. matrix-card::"""

    def run(self):
        said = {place: (cell["told by"], cell["on which thread"], cell["back when"]) for place, cell in self.cells().items()}
        failed = {said["failure", way] for way in WAYS}
        if len(failed) > 1:
            raise self.error("matrix-card: it has one cell for all failures, and the table has several")
        rows = []
        for way in WAYS:
            row = nodes.row("", entry(nodes.strong("", WAYS[way])))
            succeeded, pending = said["success", way], said["pending", way]
            if succeeded == pending:
                row += self.short(*succeeded, classes=["both"], morecols=1)
            else:
                row += [self.short(*succeeded, classes=["alone"]), self.short(*pending, classes=["pending"])]
            if not rows:
                row += self.short(*failed.pop(), classes=["failure"], morerows=len(WAYS) - 1)
            rows.append(row)
        return [self.table("matrix-card", (22, 28, 28, 22), ["Notification", *OUTCOMES.values()], rows)]

    @staticmethod
    def short(told_by, thread, back, **attributes):
        told = nodes.paragraph("", "", nodes.strong("", told_by), nodes.Text(f"; thread: {thread}."))
        return nodes.entry("", told, nodes.paragraph("", "", nodes.Text(f"Back when {back}.")), **attributes)


def entry(*content):
    return nodes.entry("", nodes.paragraph("", "", *content))


def setup(app):
    app.add_directive("matrix", OutcomeTable)
    app.add_directive("matrix-card", Card)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
