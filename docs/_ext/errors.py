"""errors: docs/errors.csv as a table, each code with the system's text as tests/docs/error_texts has recorded it."""

import csv
import re
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import nested_parse_with_titles

import sources

log = logging.getLogger(__name__)

CODES, TEXTS = "docs/errors.csv", "docs/recorded/errors.txt"


class Errors(SphinxDirective):
    """.. errors::"""

    def run(self):
        for path in (CODES, TEXTS):
            self.env.note_dependency(str(sources.ROOT / path))
        texts = {}
        for line in (sources.ROOT / TEXTS).read_text(encoding="utf-8").splitlines():
            code, _, text = line.partition(" ")
            texts[code] = text
        with open(sources.ROOT / CODES, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        seen = set()
        for row in rows:
            if row["code"] not in texts:
                raise self.error(f"errors: {TEXTS} has no text for {row['code']}; tests/docs/record_errors writes it")
            if row["code"] in seen:
                raise self.error(f"errors: {CODES} has {row['code']} twice")
            seen.add(row["code"])
        lines = ["By number", "~" * 9, ""] + self.table(["Code", "What it means, and where we meet it", "What to do"],
                                                        [30, 40, 30], [
            [f".. index:: {row['name']}, {row['code']} ({row['name']})\n\n**{row['code']}** ``{row['name']}``\n\n*{texts[row['code']]}*",
             f"{row['meaning']}\n\nWhere: {row['where']}.", row["do"]] for row in rows])
        lines += ["", "By name", "~" * 7, ""] + self.table(["Name", "Code"], [80, 20], [
            [f"``{row['name']}``", row["code"]] for row in sorted(rows, key=lambda row: row["name"])])
        holder = nodes.section()
        holder.document = self.state.document
        nested_parse_with_titles(self.state, StringList(lines, CODES), holder)
        return holder.children

    @staticmethod
    def table(titles, widths, body):
        lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {' '.join(map(str, widths))}", ""]
        for cells in [titles, *body]:
            for number, cell in enumerate(cells):
                start = "   * - " if number == 0 else "     - "
                first, *rest = cell.split("\n")
                lines += [start + first, *("       " + line if line else "" for line in rest)]
        return lines


NAME = r"(?P<name>(?:WSA|ERROR_|WAIT_)[A-Z0-9_]+)"
IN_TEXT = [re.compile(rf"\b{NAME}(?:``)?\s+\((?P<code>\d+)\)"), re.compile(rf"\b(?P<code>\d+)\s+\((?:``)?{NAME}")]


def check_all(app, env):
    """Each code that a page gives with its number stands in the table, under that name."""
    with open(sources.ROOT / CODES, encoding="utf-8", newline="") as file:
        names = {row["code"]: re.findall(NAME, f"{row['name']} {row['do']}") for row in csv.DictReader(file)}
    for page in sorted(env.found_docs):
        text = Path(env.doc2path(page)).read_text(encoding="utf-8")
        for match in (match for pattern in IN_TEXT for match in pattern.finditer(text)):
            code, name = match["code"], match["name"]
            if name not in names.get(code, ()):
                log.warning("%s has no row for %s, %s", CODES, code, name, location=page)


def setup(app):
    app.add_directive("errors", Errors)
    app.connect("env-check-consistency", check_all)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
