"""expectations: a chapter's column of tests/expectations.csv, with what each behaviour means. all-expectations: all of
them, for the page expectations."""

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

import cards
import sources

PAGE = "expectations"  # where the whole table stands


class Table(SphinxDirective):
    def read(self):
        for path in ("tests/expectations.csv", "chapters/ladder.csv"):
            self.env.note_dependency(str(sources.ROOT / path))
        explained, rows = sources.expectations()
        for behaviour in rows:
            if behaviour not in explained:
                raise self.error(f"expectations: tests/expectations.csv does not explain '{behaviour}'")
        return explained, rows


class Expectations(Table):
    """.. expectations:: 07, with :only: waits harmed to leave rows out, or with :changed: for those that differ from the
    chapter before"""

    required_arguments = 1
    option_spec = {"only": directives.unchanged_required, "changed": directives.flag}

    def run(self):
        number = self.arguments[0]
        explained, rows = self.read()
        only = self.options.get("only", "served waits harmed").split()
        for word in only:
            if word not in ("served", "waits", "harmed"):
                raise self.error(f"expectations: :only: knows served, waits and harmed, not {word}")
        for behaviour, cells in rows.items():
            if number not in cells:
                raise self.error(f"expectations: tests/expectations.csv has no column {number}")
        if "changed" in self.options:
            return self.changed(number, explained, rows)
        body = [[nodes.paragraph("", behaviour), nodes.paragraph("", explained[behaviour]), outcome(cells[number])]
                for behaviour, cells in rows.items() if cells[number].partition(":")[0] in only]
        if not body:
            raise self.error(f"expectations: chapter {number} has no row that is {' or '.join(only)}")
        return [table(["A client", "What it does", "What this server does"], body)]

    def changed(self, number, explained, rows):
        numbers = list(sources.folders())
        before = numbers[numbers.index(number) - 1] if number in numbers[1:] else None
        if before is None or any(before not in cells for cells in rows.values()):
            raise self.error(f"expectations: tests/expectations.csv has no chapter before {number}; leave :changed: out")
        body = [[nodes.paragraph("", "", nodes.Text(behaviour), nodes.Text(": " + explained[behaviour])),
                 outcome(cells[before]), outcome(cells[number])]
                for behaviour, cells in rows.items() if cells[before] != cells[number]]
        whole = nodes.Text("The whole table")
        if PAGE in self.env.found_docs:
            whole = cards.page_link(PAGE, whole)
        if not body:
            same = f"What each kind of client meets is the same as in chapter {before}. "
            return [nodes.paragraph("", "", nodes.Text(same), whole, nodes.Text(" tells it for every chapter."))]
        said = nodes.paragraph("", "", whole, nodes.Text(" tells what else a client meets, in every chapter."))
        return [table(["A client", f"In chapter {before}", "Here"], body, (50, 25, 25)), said]


class AllExpectations(Table):
    """.. all-expectations::"""

    def run(self):
        explained, rows = self.read()
        body = [[nodes.paragraph("", behaviour), nodes.paragraph("", explained[behaviour]), self.course(cells)]
                for behaviour, cells in rows.items()]
        return [table(["A client", "What it does", "What the server does"], body)]

    def course(self, cells):
        """An outcome after the other, each with its chapters."""
        runs = []
        for number, cell in cells.items():
            if runs and runs[-1][2] == cell:
                runs[-1][1] = number
            else:
                runs.append([number, number, cell])
        lines = nodes.container()
        for first, last, cell in runs:
            chapters = [self.chapter(first)]
            if first != last:
                chapters += [nodes.Text(" to "), self.chapter(last)]
            lines += nodes.paragraph("", "", *chapters, nodes.Text(" "), *outcome(cell).children)
        return lines

    def chapter(self, number):
        known = sources.folders()
        return cards.chapter_link(self.env, number, known[number]) if number in known else nodes.Text(number)


def outcome(cell):
    what, _, how = cell.partition(":")
    answer = nodes.paragraph("", "", nodes.strong("", what, classes=["outcome", what]))
    if how:
        answer += nodes.Text(": " + how.strip())
    return answer


def table(titles, body, widths=(25, 50, 25)):
    result = nodes.table(classes=["expectations"])
    group = nodes.tgroup(cols=len(titles))
    result += group
    for width in widths:
        group += nodes.colspec(colwidth=width)
    head, rows = nodes.thead(), nodes.tbody()
    group += [head, rows]
    head += nodes.row("", *[nodes.entry("", nodes.paragraph("", title)) for title in titles])
    for cells in body:
        rows += nodes.row("", *[nodes.entry("", cell) for cell in cells])
    return result


def setup(app):
    app.add_directive("expectations", Expectations)
    app.add_directive("all-expectations", AllExpectations)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
