"""errors: docs/errors.csv as a table, each code with the system's text as tests/docs/error_texts has recorded it."""

import csv

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

import sources

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
        result, seen = [], set()
        with open(sources.ROOT / CODES, encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                code, name = row["code"], row["name"]
                if code not in texts:
                    raise self.error(f"errors: {TEXTS} has no text for {code}; tests/docs/record_errors writes it")
                if code in seen:
                    raise self.error(f"errors: {CODES} has {code} twice")
                seen.add(code)
                section = nodes.section(ids=[f"error-{code}"], names=[f"error {code}"])
                section += nodes.title("", f"{code} {name}")
                self.state.nested_parse(StringList([
                    f".. index:: {name}, {code} ({name})", "",
                    f":Text: *{texts[code]}*", f":Where: {row['where']}", f":Meaning: {row['meaning']}",
                    f":What to do: {row['do']}"], CODES), 0, section)
                result.append(section)
        return result


def setup(app):
    app.add_directive("errors", Errors)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
