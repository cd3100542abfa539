"""The pages of the watch.

watch-check: the head of the section on a check. watch-tests: what proves it. watch-checks: all checks as a table.
watch-calls: which Win32 functions the watch calls itself. watch-replaced: which ones it replaces. narrated: a recorded
narration, or a part of it. trace-events: the format of the trace.

A check that the watch declares and no page explains, and a call of its own that docs/watch/calls.csv does not link,
are mistakes.
"""

import csv
import html
import re

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_id

import checks
import recorded
import sources

log = logging.getLogger(__name__)
CALLS = "docs/watch/calls.csv"
SCHEMA = "tests/watch/trace_schema.csv"
CERTAINTY = {"exact": "exact: it follows from the order of the calls that the program is wrong",
             "heuristic": "heuristic: it looks wrong, but there are right programs that do this",
             "info": "info: worth knowing, not wrong"}


def text_with_literals(text):
    """Inline nodes of a text in which names stand in ``double backquotes``."""
    return [nodes.literal("", part) if index % 2 else nodes.Text(part)
            for index, part in enumerate(text.split("``")) if part]


def field(name, *content):
    return nodes.field("", nodes.field_name("", name), nodes.field_body("", nodes.paragraph("", "", *content)))


class Head(SphinxDirective):
    """.. watch-check:: overlapped-reused, below the title of its section"""

    required_arguments = 1
    option_spec = {"rule": directives.unchanged_required}

    def run(self):
        name = self.arguments[0]
        declared, table = sources.watch_checks(), sources.watch_table()
        for path in ("common/watch/check.hpp", "tests/watch/checks.csv"):
            self.env.note_dependency(str(sources.ROOT / path))
        if name not in declared or name not in table:
            raise self.error(f"watch-check: the watch has no check {name}; it has {', '.join(declared) or 'none'}")
        if "rule" not in self.options:
            raise self.error(f"watch-check: {name} needs :rule:")
        said = self.env.watch_checks.get(name)
        if said:
            raise self.error(f"watch-check: {said[0]} explains {name} already")
        rule = " ".join(self.options["rule"].split())
        anchor = make_id(self.env, self.state.document, "watch", name)
        self.env.watch_checks[name] = (self.env.docname, anchor, rule)
        fields = nodes.field_list(classes=["card"])
        fields += field("Rule", *text_with_literals(rule))
        fields += field("Level", nodes.Text(CERTAINTY[declared[name]]))
        if table[name]["linked_only"] == "yes":
            fields += field("Where", nodes.Text("only in a program that the watch is linked with"))
        fields += field("Tried on", nodes.literal("", f"tests/watch/programs/{table[name]['program']}.cpp"))
        index = nodes.target("", "", ids=[anchor])
        self.state.document.note_explicit_target(index)
        entry = self.parse(f".. index:: {name}")
        return [*entry, index, fields]

    def parse(self, text):
        holder = nodes.Element()
        self.state.nested_parse(StringList([text], "watch-check"), 0, holder)
        return holder.children


class Tests(SphinxDirective):
    """.. watch-tests:: overlapped-reused, the tests whose names begin with the check's id, each a link"""

    required_arguments = 1

    def run(self):
        try:
            known = checks.all_checks(self.env).get("watch", [])
        except sources.Mistake as mistake:
            raise self.error(f"watch-tests: {mistake}")
        own = [name for name, _, _ in known if name.startswith(self.arguments[0] + " ")]
        if not own:
            raise self.error(f"watch-tests: no test's name begins with '{self.arguments[0]} '")
        items = nodes.bullet_list()
        for name in own:
            link = nodes.reference("", name, internal=True, refuri="", classes=["check"])
            link["book_check"] = checks.anchor("watch", name)
            items += nodes.list_item("", nodes.paragraph("", "", link))
        return [items]


class Overview(SphinxDirective):
    """.. watch-checks::"""

    def run(self):
        placeholder = nodes.container()
        placeholder["watch_checks"] = True
        return [placeholder]


def table_of(titles, widths, rows):
    """A table; rows are lists of lists of inline nodes."""
    group = nodes.tgroup("", *(nodes.colspec(colwidth=width) for width in widths), cols=len(widths))

    def row(cells):
        return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", *cell)) for cell in cells))

    group += nodes.thead("", row([[nodes.Text(title)] for title in titles]))
    group += nodes.tbody("", *(row(cells) for cells in rows))
    return nodes.table("", group, classes=["colwidths-given", "fixed"])


def fill_overview(app, doctree, docname):
    for placeholder in list(doctree.findall(nodes.container)):
        if "watch_checks" not in placeholder:
            continue
        rows = []
        for name, sure in sources.watch_checks().items():
            if name in app.env.watch_checks:
                page, anchor, rule = app.env.watch_checks[name]
                uri = app.builder.get_relative_uri(docname, page) + "#" + anchor
                link = nodes.reference("", "", nodes.literal("", name), internal=True, refuri=uri)
                rows.append([[link], [nodes.Text(sure)], text_with_literals(rule)])
        placeholder.replace_self(table_of(["Check", "Level", "Rule"], [34, 20, 46], rows))


class Calls(SphinxDirective):
    """.. watch-calls:: the Win32 functions that the watch calls itself, each with Microsoft's page"""

    def run(self):
        self.env.note_dependency(str(sources.ROOT / CALLS))
        for path in sources.watch_files():
            self.env.note_dependency(str(path))
        with open(sources.ROOT / CALLS, encoding="utf-8", newline="") as file:
            pages = {row["name"]: row["page"] for row in csv.DictReader(file)}
        used = sources.watch_calls()
        for name, page in pages.items():
            if name not in used:
                raise self.error(f"watch-calls: {CALLS} lists {name}, which the watch does not call")
            if not page.startswith("https://learn.microsoft.com/") or "/en-us/" in page:
                raise self.error(f"watch-calls: {CALLS}: the page of {name} is to begin with https://learn.microsoft.com/, "
                                 "without a language")
        rows = []
        for name in sorted(used, key=str.lower):
            literal = nodes.literal("", name, classes=["call"])
            if f"calls/{name}" in self.env.found_docs:
                link = nodes.reference("", "", literal, internal=True, refuri="", book_page=f"calls/{name}")
            elif name in pages:
                link = nodes.reference("", "", literal, refuri=pages[name])
            else:
                self.state.document.reporter.error(
                    f"watch-calls: {sorted(used[name])[0]} calls {name}, which {CALLS} does not list", line=self.lineno)
                continue
            files = []
            for file in sorted(used[name]):
                files += [nodes.Text(", ")] if files else []
                files.append(nodes.literal("", file))
            rows.append([[link], files])
        return [table_of(["Function", "Called in"], [45, 55], rows)]


class Replaced(SphinxDirective):
    """.. watch-replaced:: common/watch/hooks_ports.cpp"""

    required_arguments = 1

    def run(self):
        self.env.note_dependency(str(sources.ROOT / self.arguments[0]))
        try:
            names = sources.watch_replaced(self.arguments[0])
        except sources.Mistake as mistake:
            raise self.error(f"watch-replaced: {mistake}")
        if not names:
            raise self.error(f"watch-replaced: {self.arguments[0]} replaces nothing")
        paragraph = nodes.paragraph()
        for name in names:
            paragraph += [nodes.Text(", ")] if len(paragraph) else []
            literal = nodes.literal("", name, classes=["call"])
            if f"calls/{name}" in self.env.found_docs:
                literal = nodes.reference("", "", literal, internal=True, refuri="", book_page=f"calls/{name}")
            paragraph += literal
        return [paragraph]


class narrated_lines(nodes.General, nodes.Element):
    """Lines of one terminal in which the watch tells something: (mark, text)."""


class Narrated(SphinxDirective):
    """.. narrated:: watch_07, all of it; or, with :from: and perhaps :to:, the lines from the first that matches a pattern
    to the first after it that matches the other"""

    required_arguments = 1
    option_spec = {"from": directives.unchanged_required, "to": directives.unchanged_required}

    def run(self):
        path = sources.ROOT / f"docs/recorded/{self.arguments[0]}.txt"
        self.env.note_dependency(str(path))
        if not path.exists():
            raise self.error(f"narrated: there is no docs/recorded/{path.name}; tests/docs/record_watch writes it")
        result = nodes.container(classes=["recorded", "narrated"])
        lines = [(line[:1], line[2:]) for line in path.read_text(encoding="utf-8").splitlines()]
        if "from" in self.options:
            first = self.find(path, lines, 0, self.options["from"])
            last = self.find(path, lines, first, self.options["to"]) if "to" in self.options else first
            lines = [line for line in lines[first:last + 1] if line[0] == "!"]
            result += narrated_lines("", lines=lines)
            return [result]
        titles = [text for mark, text in lines if mark == "="]
        for mark, text in lines:
            if mark == "=":
                if len(titles) > 1:
                    result += nodes.paragraph("", text, classes=["terminal-title"])
                result += narrated_lines("", lines=[])
            else:
                result[-1]["lines"].append((mark, text))
        return [result]

    def find(self, path, lines, start, pattern):
        for number in range(start, len(lines)):
            if lines[number][0] == "!" and re.search(pattern, lines[number][1]):
                return number
        raise self.error(f"narrated: docs/recorded/{path.name} has no line that matches '{pattern}' there")


# What memory changes hands, and what has failed: each in a colour of its own.
COLOURED = re.compile(r"(?P<lent>\blent .+?(?=  |$))|(?P<back>\bback .+?(?=  |$))|(?P<failed>\bfailed \d+.*?(?=  |$))")


def coloured(text):
    return COLOURED.sub(lambda found: f'<span class="{found.lastgroup}">{found[0]}</span>', text)


def visit_html(self, node):
    lines = []
    for mark, text in node["lines"]:
        shown = html.escape(text, quote=False)
        if mark == "!" and text.startswith("watch: "):
            kind = "said" if text.startswith("watch:     ") else "finding" if text.startswith("watch: [") else "said"
        elif mark == "!" and re.match(r"\s*\d+\.\d+ t\d", text):
            kind, shown = "told", coloured(shown)
        else:
            kind = {"$": "typed", ">": "typed", "^": "key", "|": "stdout", "!": "stderr"}[mark]
        prompt = '<span class="prompt">$ </span>' if mark == "$" else ""
        lines.append(f'<span class="{kind}">{prompt}{shown}</span>\n')
    recorded.write_terminal(self, lines)
    raise nodes.SkipNode


class TraceEvents(SphinxDirective):
    """.. trace-events:: the format of the trace, from tests/watch/trace_schema.csv"""

    def run(self):
        path = sources.ROOT / SCHEMA
        self.env.note_dependency(str(path))
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        table = table_of(["Field", "Type", "Meaning"], [24, 28, 48], [])
        body, event = next(table.findall(nodes.tbody)), None
        for row in rows:
            if row["event"] != event:
                event = row["event"]
                title = nodes.paragraph("", "", nodes.strong("", event))
                if not row["field"]:
                    title += nodes.Text(": " + row["meaning"])
                body += nodes.row("", nodes.entry("", title, morecols=2))
            if row["field"]:
                when = {"yes": "", "no": ", perhaps"}.get(row["required"], f", when {row['required']}")
                cells = [[nodes.literal("", row["field"])], [nodes.Text(row["type"] + when)], [nodes.Text(row["meaning"])]]
                body += nodes.row("", *(nodes.entry("", nodes.paragraph("", "", *cell)) for cell in cells))
        return [table]


def start(app):
    app.env.watch_checks = getattr(app.env, "watch_checks", {})


def purge(app, env, docname):
    env.watch_checks = {name: said for name, said in getattr(env, "watch_checks", {}).items() if said[0] != docname}


def merge(app, env, docnames, other):
    env.watch_checks.update(other.watch_checks)


def check_all(app, env):
    for name in sources.watch_checks():
        if name not in env.watch_checks:
            log.warning("common/watch/check.hpp declares %s, which no page explains (.. watch-check:: %s)", name, name)


def setup(app):
    app.add_node(narrated_lines, html=(visit_html, None), text=(recorded.visit_text, None))
    app.add_css_file("watch.css")
    for name, directive in {"watch-check": Head, "watch-tests": Tests, "watch-checks": Overview, "watch-calls": Calls,
                            "watch-replaced": Replaced, "narrated": Narrated, "trace-events": TraceEvents}.items():
        app.add_directive(name, directive)
    app.connect("builder-inited", start)
    app.connect("env-purge-doc", purge)
    app.connect("env-merge-info", merge)
    app.connect("env-check-consistency", check_all)
    app.connect("doctree-resolved", fill_overview)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
