"""expectations: a chapter's column of tests/expectations.csv, with what each behaviour means."""

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

import sources


class Expectations(SphinxDirective):
    """.. expectations:: 07, with :only: waits harmed to leave rows out"""

    required_arguments = 1
    option_spec = {"only": directives.unchanged_required}

    def run(self):
        number = self.arguments[0]
        self.env.note_dependency(str(sources.ROOT / "tests/expectations.csv"))
        explained, rows = sources.expectations()
        only = self.options.get("only", "served waits harmed").split()
        for word in only:
            if word not in ("served", "waits", "harmed"):
                raise self.error(f"expectations: :only: knows served, waits and harmed, not {word}")
        body = []
        for behaviour, cells in rows.items():
            if number not in cells:
                raise self.error(f"expectations: tests/expectations.csv has no column {number}")
            what, _, how = cells[number].partition(":")
            if behaviour not in explained:
                raise self.error(f"expectations: tests/expectations.csv does not explain '{behaviour}'")
            if what in only:
                answer = nodes.paragraph("", "", nodes.strong("", what, classes=["outcome", what]))
                if how:
                    answer += nodes.Text(": " + how.strip())
                body.append([nodes.paragraph("", behaviour), nodes.paragraph("", explained[behaviour]), answer])
        if not body:
            raise self.error(f"expectations: chapter {number} has no row that is {' or '.join(only)}")
        return [table(["A client", "What it does", "What this server does"], body)]


def table(titles, body):
    result = nodes.table(classes=["expectations"])
    group = nodes.tgroup(cols=len(titles))
    result += group
    for width in (25, 50, 25):
        group += nodes.colspec(colwidth=width)
    head, rows = nodes.thead(), nodes.tbody()
    group += [head, rows]
    head += nodes.row("", *[nodes.entry("", nodes.paragraph("", title)) for title in titles])
    for cells in body:
        rows += nodes.row("", *[nodes.entry("", cell) for cell in cells])
    return result


def setup(app):
    app.add_directive("expectations", Expectations)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
