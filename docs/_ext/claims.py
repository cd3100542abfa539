"""How a claim about Windows is known: docs/claims.csv, its signs on the pages, its lists and counts, and its checks.

An entry says of one place of the book how it is known. Its id names the place:

    row/SLUG        a row of the table in windows_and_wine.rst, by the text of its first cell; row/SLUG/PART: a part of it
    rule/SLUG       a rule of lifetimes/index.rst, by its title
    error/CODE      a row of errors.csv
    api/SLUG        a row of the table of APIs in start/which_model.rst, by its name in bold
    card/NAME/SLUG  an item of a card, by the text of its term or of its title; the rest of a card is as documented as the
                    page that its head names
    cell/OUTCOME/WAY  a cell of the matrix (encores/matrix.rst)
    probe/NAME      what the probe asks beyond the rows

A place may have several entries: what is documented and what is reported may differ, and both are told. Two signs stand on
the pages, behind the text: W (reported) and ? (unknown). What is documented, or follows from it, has none.
"""

import csv
import re
from urllib.parse import quote

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

import sources

log = logging.getLogger(__name__)

TABLE, PAGE = "docs/claims.csv", "how_we_know"
ROWS, RULES, ERRORS, APIS, MATRIX = "windows_and_wine", "lifetimes/index", "errors", "start/which_model", "encores/matrix"
COLUMNS = ["id", "sign", "answer", "source", "test"]
SIGNS = {
    "documented": (None, "documented by Microsoft"),
    "follows": (None, "follows from what is documented"),
    "reported": ("W", "reported of Windows"),
    "unknown": ("?", "not known"),
}
KINDS = {
    "row": "rows of Windows and Wine", "rule": "rules of overlapped buffers", "error": "error codes",
    "api": "rows of Which API today", "page": "cards, by Microsoft's page at their head", "card": "items of cards beyond the card's own page", "cell": "cells of the matrix",
    "probe": "further answers of the probe",
}
WINE = "https://gitlab.winehq.org/wine/wine/-/blob/wine-10.0/"
ON_THE_WEB = ("https://learn.microsoft.com/", "https://github.com/", "https://www.rfc-editor.org/")
IN_WINE = re.compile(r"(?P<silent>silent )?wine (?P<file>(?:dlls|server)/[\w./]+\.c)(?: (?P<function>\w+))?$")
ASKED = re.compile(r"\bprobe::(?:compare\(|row \w+)\s*\{\s*\"([^\"]+)\"")
SAID_OF_TESTS = re.compile(r"conformance\s+tests")


# --- the table --------------------------------------------------------------------------------------------------------

def slug(text):
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def read(root=sources.ROOT):
    with open(root / TABLE, encoding="utf-8", newline="") as file:
        lines = [line for line in file if line.strip() and not line.startswith("#")]
    return [dict(row, line=number) for number, row in enumerate(csv.DictReader(lines), 1)]


def source_of(text):
    """(what to show, where it leads), or nothing for something that is no source."""
    match = IN_WINE.match(text)
    if match:
        shown = match["file"] + (f", {match['function']}" if match["function"] else "")
        return (f"nothing found in {shown}" if match["silent"] else shown), WINE + match["file"]
    if text.startswith(ON_THE_WEB) and not text.startswith("https://learn.microsoft.com/en-us/"):
        return text.removeprefix("https://").removeprefix("www."), text
    return None


def sources_of(entry):
    return [text.strip() for text in entry["source"].split(" | ") if text.strip()]


def mistakes(entries, tests):
    """What is wrong with the table by itself."""
    seen = set()
    for entry in entries:
        name = f"{TABLE}: {entry['id']}"
        if set(entry) - {"line"} != set(COLUMNS) or None in entry.values():
            yield f"{name} has not the columns {', '.join(COLUMNS)}"
            continue
        if (entry["id"], entry["sign"]) in seen:
            yield f"{name} is {entry['sign']} twice"
        seen.add((entry["id"], entry["sign"]))
        if entry["id"].split("/")[0] not in KINDS:
            yield f"{name} is of no kind; the kinds are {', '.join(KINDS)}"
        if entry["sign"] not in SIGNS:
            yield f"{name} has the sign '{entry['sign']}'; the signs are {', '.join(SIGNS)}"
        if not sources_of(entry):
            yield f"{name} has no source"
        for text in sources_of(entry):
            if source_of(text) is None:
                yield f"{name} has a source that is none: {text}"
        if entry["sign"] == "documented" and not any(text.startswith("https://") for text in sources_of(entry)):
            yield f"{name} is documented, and no page says so"
        if entry["sign"] == "unknown" and not entry["test"].startswith("probe: "):
            yield f"{name} is not known, and no case of the probe asks for it"
        if entry["test"] and entry["test"] not in tests:
            yield f"{name} names a test that does not exist: {entry['test']}"


def asked_by_the_probe(root=sources.ROOT):
    return {name for path in sorted((root / "tests/probe").glob("*.cpp")) for name in ASKED.findall(sources.code(path))}


# --- the places on the pages -------------------------------------------------------------------------------------------

class sign(nodes.Inline, nodes.TextElement):
    """W or ?, a link to the place's line on the page How we know."""


def anchor(place):
    return "claim-" + slug(place)


def visit_sign(self, node):
    self.body.append(f'<a class="claim-sign {node["kind"]}" href="{node["refuri"]}" title="{self.attval(node["title"])}">')


def depart_sign(self, node):
    self.body.append("</a>")


def nothing(self, node):
    pass


def text_of(node):
    return " ".join(node.astext().split())


def table_rows(doctree):
    for table in doctree.findall(nodes.table):
        head = table.next_node(nodes.thead)
        if head is not None and text_of(head).startswith("Behaviour"):
            for row in table.next_node(nodes.tbody).children:
                yield f"row/{slug(text_of(row[0]))}", text_of(row[0]), row[0], row[1]


def rules(doctree):
    """A rule says what is right; a section that explains may have an entry, too."""
    for section in doctree.findall(nodes.section):
        title = text_of(section.next_node(nodes.title))
        right = [field[1] for fields in section.children if isinstance(fields, nodes.field_list) for field in fields.children
                 if text_of(field[0]) == "What is right"]
        yield f"rule/{slug(title)}", title, section, right[0] if right else None


def error_rows(doctree):
    codes = set()
    for table in doctree.findall(nodes.table):
        for row in table.next_node(nodes.tbody).children:
            code = re.match(r"\d+", text_of(row[0]))
            if code and len(row.children) > 2 and code[0] not in codes:
                codes.add(code[0])
                yield f"error/{code[0]}", " ".join(text_of(row[0]).split()[:2]), row[0], row[1]


def api_rows(doctree):
    for table in doctree.findall(nodes.table):
        if text_of(table.next_node(nodes.thead)).startswith("API"):
            for row in table.next_node(nodes.tbody).children:
                name = row[0].next_node(nodes.strong)
                if name is not None:
                    yield f"api/{slug(text_of(name))}", text_of(name), row[0], row[0]


def card_items(doctree, name):
    """The card as a whole, which rests on the page at its head; its sections, its arguments and its terms."""
    yield f"page/{name}", name, doctree.next_node(nodes.section), None
    for section in doctree.findall(nodes.section):
        title = text_of(section.next_node(nodes.title))
        paragraphs = [child for child in section.children if isinstance(child, nodes.paragraph)]
        spoken = [paragraph for paragraph in paragraphs if SAID_OF_TESTS.search(text_of(paragraph))]
        yield f"card/{name}/{slug(title)}", f"{name}: {title}", section, (spoken or paragraphs or [None])[-1]
    for field in doctree.findall(nodes.field):
        if "card" not in field.parent.get("classes", ()) and field[1].children:
            yield f"card/{name}/{slug(text_of(field[0]))}", f"{name}: {text_of(field[0])}", field[1][-1], field[1][-1]
    for item in doctree.findall(nodes.definition_list_item):
        term = text_of(item[0])
        yield f"card/{name}/{slug(term)}", f"{name}: {term}", item[0], item[0]


def matrix_cells(doctree):
    """The rows that the directive `matrix` makes; the sign stands behind who is told."""
    for row in doctree.findall(nodes.row):
        if "book_cell" in row:
            what, how = row["book_cell"]
            yield f"cell/{slug(what)}/{slug(how)}", f"{what}, {how}", row[0], row[1]


def places(docname, doctree):
    """Each place of a page: (its id, its name, the node that gets an anchor, the node behind whose text the sign stands)."""
    if docname == ROWS:
        return table_rows(doctree)
    if docname == RULES:
        return rules(doctree)
    if docname == ERRORS:
        return error_rows(doctree)
    if docname == APIS:
        return api_rows(doctree)
    if docname == MATRIX:
        return matrix_cells(doctree)
    if docname.startswith("calls/") and docname != "calls/index":
        return card_items(doctree, docname.removeprefix("calls/"))
    return ()


def needs_entry(place, behind):
    return place.startswith(("row/", "error/", "api/", "cell/", "page/")) or place.startswith("rule/") and behind is not None


def own_text(place, target):
    """What a place says itself: of a card's section its paragraphs only, since its terms are places of their own."""
    if place.startswith("row/"):
        return text_of(target.parent[1])
    if place.startswith(("error/", "api/")):
        return text_of(target.parent)
    if isinstance(target, nodes.term):
        return text_of(target.parent)
    if isinstance(target.parent, nodes.field_body):
        return text_of(target.parent)
    if place.startswith("card/"):
        return " ".join(text_of(child) for child in target.children if isinstance(child, nodes.paragraph))
    return " ".join(text_of(child) for child in target.children if not isinstance(child, nodes.section))


def mark(app, doctree):
    env, docname = app.env, app.env.docname
    env.note_dependency(str(sources.ROOT / TABLE))
    entries = {}
    for entry in read():
        entries.setdefault(place_of(entry["id"]), []).append(entry)
    forget(app, env, docname)
    found = env.book_claims = getattr(env, "book_claims", {})
    for place, label, target, behind in list(places(docname, doctree)):
        if place in found:
            continue
        found[place] = (docname, anchor(place), label, needs_entry(place, behind),
                        not place.startswith("page/") and bool(SAID_OF_TESTS.search(own_text(place, target))))
        if place not in entries:
            continue
        target["ids"] = [*target["ids"], anchor(place)]
        signs = {entry["sign"] for entry in entries[place]}
        for kind in ("reported", "unknown"):
            if kind in signs and behind is not None:
                add_sign(behind, place, kind, [e for e in entries[place] if e["sign"] == kind])


def add_sign(behind, place, kind, entries):
    letter, meaning = SIGNS[kind]
    shown = ", ".join(source_of(text)[0] for entry in entries for text in sources_of(entry) if source_of(text))
    node = sign("", letter, kind=kind, refuri="", title=f"{meaning[0].upper()}{meaning[1:]}: {shown}", book_page=PAGE,
                book_anchor=f"{anchor(place)}-{kind}")
    texts = [behind] if isinstance(behind, nodes.TextElement) else list(behind.findall(nodes.paragraph))
    if texts:
        texts[-1] += node


def place_of(name):
    """The place of an entry: without the part of a row."""
    parts = name.split("/")
    return "/".join(parts[:2]) if parts[0] in ("row", "probe") else name


def resolve(app, doctree, docname):
    for node in doctree.findall(sign):
        node["refuri"] = app.builder.get_relative_uri(docname, node["book_page"]) + "#" + node["book_anchor"]


def forget(app, env, docname):
    for place in [place for place, (page, *_) in getattr(env, "book_claims", {}).items() if page == docname]:
        del env.book_claims[place]


def merge(app, env, docnames, other):
    env.book_claims = {**getattr(env, "book_claims", {}), **getattr(other, "book_claims", {})}


# --- the lists on How we know -----------------------------------------------------------------------------------------

class Counts(SphinxDirective):
    """.. claim-counts:: how many claims there are, by kind and by sign"""

    def run(self):
        self.env.note_dependency(str(sources.ROOT / TABLE))
        entries = read()
        kinds = [kind for kind in KINDS if any(entry["id"].startswith(kind + "/") for entry in entries)]
        body = []
        for kind in [*kinds, None]:
            of_kind = [entry for entry in entries if kind is None or entry["id"].startswith(kind + "/")]
            cells = [KINDS[kind] if kind else "all", *(sum(e["sign"] == name for e in of_kind) for name in SIGNS)]
            body.append([str(cell) for cell in cells])
        return [simple_table(["Claims", "documented", "follows", "reported (W)", "not known (?)"], body)]


def simple_table(titles, body):
    table = nodes.table(classes=["claim-counts", "stacks"])
    group = nodes.tgroup(cols=len(titles))
    table += group
    for _ in titles:
        group += nodes.colspec(colwidth=1)
    for holder, rows in ((nodes.thead(), [titles]), (nodes.tbody(), body)):
        group += holder
        for cells in rows:
            holder += nodes.row("", *[nodes.entry("", nodes.paragraph("", cell)) for cell in cells])
    return table


class Claims(SphinxDirective):
    """.. claims:: reported, or unknown: each place with this sign, by kind, and how it is known"""

    required_arguments = 1

    def run(self):
        wanted = self.arguments[0]
        if wanted not in ("reported", "unknown"):
            raise self.error("claims: it lists reported or unknown")
        result = []
        for kind, title in KINDS.items():
            if any(entry["sign"] == wanted and entry["id"].startswith(kind + "/") for entry in read()):
                holder = nodes.bullet_list(classes=["claims"])
                holder["book_claims"] = wanted, kind
                holder += nodes.list_item("", nodes.paragraph())
                result += [nodes.rubric("", title[0].upper() + title[1:]), holder]
        return result


def fill(app, doctree, docname):
    found = getattr(app.env, "book_claims", {})
    for holder in list(doctree.findall(nodes.bullet_list)):
        if "book_claims" not in holder:
            continue
        lines = {}
        for entry in read():
            if (entry["sign"], entry["id"].split("/")[0]) == holder["book_claims"]:
                lines.setdefault(place_of(entry["id"]), []).append(entry)
        holder.clear()
        for place, entries in lines.items():
            page, where, label = found.get(place, (ROWS, "", ""))[:3]
            label = label or entries[0]["id"].split("/", 1)[1].replace("-", " ").replace("/", ": ")
            link = nodes.reference("", label, internal=True, refuri=app.builder.get_relative_uri(docname, page) + "#" * bool(where) + where)
            line = nodes.paragraph("", "", link, nodes.Text(". "))
            for entry in entries:
                if entry["answer"]:
                    line += [nodes.Text("Expected: "), nodes.strong("", entry["answer"]), nodes.Text(". ")]
                for number, text in enumerate(sources_of(entry)):
                    shown, uri = source_of(text)
                    line += [nodes.Text("; " if number else "")] if number else []
                    line += nodes.reference("", shown, refuri=quote(uri, safe=":/#?=&%"))
                line += nodes.Text(". ")
                group, _, case = entry["test"].partition(": ")
                if group == "probe":
                    line += [nodes.Text("The probe asks: "), nodes.emphasis("", case), nodes.Text(". ")]
            item = nodes.list_item("", line)
            item["ids"] = [f"{anchor(place)}-{holder['book_claims'][0]}"]
            holder += item


class Reports(SphinxDirective):
    """.. windows-reports:: how many reports of readers on Windows lie in docs/recorded/windows/"""

    def run(self):
        there = reports()
        for path in there:
            self.env.note_dependency(str(path))
        if not there:
            said = "Reports of readers so far: **none**."
        else:
            systems = ", ".join(sorted({report_system(path) for path in there}))
            said = f"Reports of readers so far: **{len(there)}** ({systems})."
        text, messages = self.state.inline_text(said, self.lineno)
        return [nodes.paragraph("", "", *text), *messages]


def reports(root=sources.ROOT):
    return sorted((root / "docs/recorded/windows").glob("*.md")) if (root / "docs/recorded/windows").exists() else []


def report_system(path):
    match = re.search(r"^- System: (.+)$", path.read_text(encoding="utf-8"), re.M)
    return match[1].strip() if match else "no system named"


class SignRole(SphinxRole):
    """:claim-sign:`reported`: the sign itself, to explain it"""

    def run(self):
        letter, meaning = SIGNS[self.text]
        return [nodes.inline("", letter, classes=["claim-sign", self.text])], []


# --- the checks -------------------------------------------------------------------------------------------------------

def check_all(app, env):
    entries, found = read(), getattr(env, "book_claims", {})
    tests = {f"{group}: {name}" for group, cases in sources.checks().items() for name, *_ in cases}
    for text in mistakes(entries, tests):
        log.warning(text)
    known = {place_of(entry["id"]) for entry in entries}
    reported = {place_of(entry["id"]) for entry in entries if entry["sign"] == "reported"}
    kinds = {place.split("/")[0] for place in known}  # a book that lists no cards need not list one
    for place, (page, _, label, needed, by_tests) in sorted(found.items()):
        if needed and place not in known and ("page" in kinds or not place.startswith("page/")):
            log.warning("%s does not say how '%s' is known: it has no %s", TABLE, label, place, location=page)
        if by_tests and place not in reported:
            log.warning("'%s' speaks of conformance tests, and %s has nothing reported for %s", label, TABLE, place, location=page)
    asked = asked_by_the_probe()
    for entry in entries:
        place = place_of(entry["id"])
        if not place.startswith("probe/") and place not in found:
            log.warning("%s: there is no %s on the pages", TABLE, place)
        if entry["answer"] and entry["id"] not in asked:
            log.warning("%s: %s has an answer, and the probe does not ask for it", TABLE, entry["id"])
    for name in sorted(asked - {entry["id"] for entry in entries}):
        log.warning("tests/probe asks for %s, which %s does not have", name, TABLE)


def setup(app):
    app.add_node(sign, html=(visit_sign, depart_sign), text=(nothing, nothing), man=(nothing, nothing),
                 latex=(nothing, nothing), texinfo=(nothing, nothing))
    app.add_directive("claim-counts", Counts)
    app.add_directive("claims", Claims)
    app.add_role("claim-sign", SignRole())
    app.add_directive("windows-reports", Reports)
    app.connect("doctree-read", mark)
    app.connect("doctree-resolved", resolve)
    app.connect("doctree-resolved", fill)
    app.connect("env-purge-doc", forget)
    app.connect("env-merge-info", merge)
    app.connect("env-check-consistency", check_all)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
