"""wrong: a program of tests/watch/programs, for the reader to run: what people write, the command, what comes of it, the
rule, and what is right."""

import csv

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

import cards
import folded
import regions
import sources
import watch

LONG = 12  # more lines than these are folded
TABLE = f"{sources.WRONG_PROGRAMS}/programs.csv"


def programs():
    """The programs that `./tutorial break` knows: name to its row."""
    with open(sources.ROOT / TABLE, encoding="utf-8", newline="") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


class WrongProgram(SphinxDirective):
    """.. wrong:: freed_while_lent, with the rule as content; :wrong: and :right: name other regions than these, one or more"""

    required_arguments = 1
    option_spec = {"wrong": directives.unchanged_required, "right": directives.unchanged_required}
    has_content = True

    def run(self):
        self.assert_has_content()
        name = self.arguments[0]
        self.env.note_dependency(str(sources.ROOT / TABLE))
        known = programs()
        if name not in known:
            raise self.error(f"wrong: ./tutorial break knows no {name} ({TABLE}); it knows {', '.join(known)}")
        self.path = f"{sources.WRONG_PROGRAMS}/{name}.cpp"
        rule = nodes.container()
        self.state.nested_parse(self.content, self.content_offset, rule)
        result = nodes.container(classes=["wrong-program"])
        result += [self.label("What people write"), *self.regions("wrong")]
        result += [self.label("Run it"), *self.said(name)]
        result += [self.label("The rule"), *rule.children]
        result += self.more(known[name])
        result += [self.label("Right"), *self.regions("right")]
        self.set_source_info(result)
        return [result]

    @staticmethod
    def label(text):
        return nodes.paragraph("", text, classes=["part-label"])

    def regions(self, which):
        regions.note_what_it_shows(self.env, self.path)
        shown = []
        for region in self.options.get(which, which).split():
            try:
                lines = sources.numbered_region(self.path, region)
            except sources.Mistake as mistake:
                raise self.error(f"wrong: {mistake}")
            shown.append(regions.captioned(self.env, self.path, lines, set(), nodes.Text(", region "), nodes.literal("", region)))
        return shown

    def said(self, name):
        """The command; and what it says, as recorded."""
        path = sources.ROOT / f"docs/recorded/watch_{name}.txt"
        self.env.note_dependency(str(path))
        lines = [("$", f"./tutorial break {name}")]
        if path.exists():
            recorded = [(line[:1], line[2:]) for line in path.read_text(encoding="utf-8").splitlines()]
            lines += [(mark, text) for mark, text in recorded if mark not in "=$"]
        if len(lines) <= LONG + 1:
            return [self.terminal(lines)]
        title = [nodes.Text(f"What it says ({len(lines) - 1} lines)")]
        return [self.terminal(lines[:1]), folded.fold(title, self.terminal(lines[1:]))]

    @staticmethod
    def terminal(lines):
        return nodes.container("", watch.narrated_lines("", lines=lines), classes=["recorded", "narrated"])

    def more(self, row):
        """A link to the page that programs.csv names."""
        page, _, anchor = row["page"].partition("#")
        page = next((found for found in (page, f"{page}/index") if found in self.env.found_docs), None)
        if not page or page == self.env.docname:
            return []
        link = cards.page_link(page, nodes.Text("More on this rule"))
        if anchor:
            link["book_anchor"] = anchor
        return [nodes.paragraph("", "", link)]


class Said(WrongProgram):
    """.. said:: freed_while_lent, the command and what comes of it, without the program"""

    option_spec = {}
    has_content = False

    def run(self):
        name = self.arguments[0]
        self.env.note_dependency(str(sources.ROOT / TABLE))
        if name not in programs():
            raise self.error(f"said: ./tutorial break knows no {name} ({TABLE})")
        return [nodes.container("", *self.said(name), classes=["wrong-program"])]


def setup(app):
    app.add_directive("wrong", WrongProgram)
    app.add_directive("said", Said)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
