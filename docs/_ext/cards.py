"""call, as a directive: the head of a card. call, as a role: a link to one. And the check that each name has a card,
that each card names the chapters that use it, and that each stands in a group of docs/calls/index.rst."""

import re

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

import sources

log = logging.getLogger(__name__)
INDEX = "calls/index"
VERSION = r"Windows (2000|XP|Vista|7|8|8\.1|10|11)( SP\d| \d{4}| \dH\d)?(;|$)"


def names(argument):
    return [word.strip() for word in (argument or "").split(",") if word.strip()]


class Card(SphinxDirective):
    """.. call:: WSARecv, the first thing in docs/calls/WSARecv.rst"""

    required_arguments = 1
    option_spec = {option: directives.unchanged_required
                   for option in ("header", "library", "since", "kind", "microsoft", "link")}
    option_spec |= {"chapters": names, "common": names}

    def run(self):
        name = self.arguments[0]
        if self.env.docname != f"calls/{name}":
            raise self.error(f"call: the card of {name} belongs into docs/calls/{name}.rst")
        self.env.metadata[self.env.docname]["card"] = self.options.get("kind", "function")
        for option in ("header", "since", "microsoft", "link"):
            if option not in self.options:
                raise self.error(f"call: {name} needs :{option}:")
        if not re.match(VERSION, self.options["since"]):
            raise self.error(f"call: {name}: :since: is to begin with a version, as in 'Windows Vista' or 'Windows 10 1709'")
        link = self.options["link"]
        if not link.startswith("https://learn.microsoft.com/") or link.startswith("https://learn.microsoft.com/en-us/"):
            raise self.error(f"call: {name}: :link: is to begin with https://learn.microsoft.com/, without a language")
        self.compare(name)
        entry = f"{name} ({self.options.get('kind', 'function')})"
        index = addnodes.index(entries=[("single", entry, f"card-{name}", "", None)])
        return [index, nodes.target("", "", ids=[f"card-{name}"]), self.table(name)]

    def compare(self, name):
        chapters, files, _ = sources.users(name)
        for path in sources.program_files():
            self.env.note_dependency(str(path))
        given = self.options.get("chapters", []), [f.removeprefix("common/") for f in self.options.get("common", [])]
        for option, said, used in (("chapters", given[0], chapters), ("common", given[1], files)):
            if sorted(said) != used:
                self.state.document.reporter.error(
                    f"call: {name}: :{option}: says '{', '.join(said) or 'none'}', but it is used in "
                    f"'{', '.join(used) or 'none'}'", line=self.lineno)

    def table(self, name):
        known = sources.folders()
        rows = [("Header", [nodes.literal("", self.options["header"])])]
        if "library" in self.options:
            rows.append(("Library", [nodes.literal("", self.options["library"])]))
        rows.append(("Since", [nodes.Text(self.options["since"])]))
        used = []
        for number in self.options.get("chapters", []):
            if number in known:
                used += [nodes.Text(", ")] if used else []
                used.append(chapter_link(self.env, number, known[number]))
        for path in self.options.get("common", []):
            used += [nodes.Text(", ")] if used else []
            used.append(nodes.literal("", "common/" + path.removeprefix("common/")))
        for encore in sources.users(name)[2]:
            used += [nodes.Text(", ")] if used else []
            page = f"encores/{encore}"
            self.env.note_dependency(self.env.doc2path(page))
            used.append(page_link(page, nodes.inline("", encore)) if page in self.env.found_docs else nodes.inline("", encore))
        if used:
            rows.append(("Used in", used))
        rows.append(("Microsoft", [nodes.reference("", self.options["microsoft"], refuri=self.options["link"])]))
        fields = nodes.field_list(classes=["card"])
        kind = self.options.get("kind", "function")
        fields += nodes.field("", nodes.field_name("", "Kind"), nodes.field_body("", nodes.paragraph("", kind)))
        for title, inline in rows:
            body = nodes.field_body("", nodes.paragraph("", "", *inline))
            fields += nodes.field("", nodes.field_name("", title), body)
        return fields


def page_link(page, *content):
    """A link to a page that exists. Sphinx's own would keep nothing but the text of what it is on."""
    return nodes.reference("", "", *content, internal=True, refuri="", book_page=page)


def resolve_links(app, doctree, docname):
    for link in doctree.findall(nodes.reference):
        if "book_page" in link:
            link["refuri"] = app.builder.get_relative_uri(docname, link["book_page"])
            if "book_anchor" in link:
                link["refuri"] += "#" + link["book_anchor"]


def chapter_link(env, number, folder):
    text = nodes.inline("", number)
    page = f"chapters/{folder}"
    env.note_dependency(env.doc2path(page))
    if page not in env.found_docs:
        return text
    return page_link(page, text)


class Call(SphinxRole):
    """:call:`WSARecv`"""

    def run(self):
        name = self.text.removesuffix("()")
        page = f"calls/{name}"
        self.env.note_dependency(self.env.doc2path(page))
        literal = nodes.literal(self.rawtext, name, classes=["call"])
        if page in self.env.found_docs:
            return [page_link(page, literal)], []
        if self.config.missing_cards == "allow":
            return [literal], []
        message = self.inliner.reporter.error(f"call: {name} has no card (docs/calls/{name}.rst)", line=self.lineno)
        return [self.inliner.problematic(self.rawtext, self.rawtext, message)], [message]


def check_groups(env):
    """Each card stands in a group of docs/calls/index.rst, so that whoever does not know the name of a call finds it."""
    if INDEX not in env.found_docs:
        return
    text = (sources.ROOT / f"docs/{INDEX}.rst").read_text(encoding="utf-8")
    groups = re.search(r"^By group\n-+\n(.*?)^[^\n]+\n---", text, re.DOTALL | re.MULTILINE)
    grouped = set(re.findall(r":call:`([^`]+)`", groups[1])) if groups else set()
    for page in sorted(page for page, data in env.metadata.items() if "card" in data):
        if (name := page.removeprefix("calls/")) not in grouped:
            log.warning("%s stands in no group", name, location=INDEX)


def check_all(app, env):
    check_groups(env)
    if app.config.missing_cards == "allow":
        return
    for name, path in sorted(sources.used_names().items()):
        if f"calls/{name}" not in env.found_docs:
            log.warning("%s uses %s, which has no card (docs/calls/%s.rst)", path, name, name)
        elif "card" not in env.metadata.get(f"calls/{name}", {}):
            log.warning("docs/calls/%s.rst does not begin with '.. call:: %s'", name, name)


class Cards(SphinxDirective):
    """.. cards:: a list of all cards of a kind, for docs/calls/index.rst; without an argument all of them"""

    optional_arguments = 1
    final_argument_whitespace = True

    def run(self):
        placeholder = nodes.bullet_list(classes=["cards"])
        placeholder["book_cards"] = self.arguments[0] if self.arguments else ""
        placeholder += nodes.list_item("", nodes.paragraph())
        return [placeholder]


class FirstMet(SphinxDirective):
    """.. first-met:: for each chapter the cards of what it uses before any other does"""

    def run(self):
        first = {}
        for path in sorted((sources.ROOT / "docs/calls").glob("*.rst"), key=lambda path: path.stem.lower()):
            chapters, _, _ = sources.users(path.stem)
            if chapters and path.stem != "index":
                first.setdefault(chapters[0], []).append(path.stem)
        for path in sources.program_files():
            self.env.note_dependency(str(path))
        lines = [".. list-table::", "   :header-rows: 1", "   :widths: 12 88", "", "   * - Chapter", "     - What is new in it"]
        for number in sources.folders():
            names = ", ".join(f":call:`{name}`" for name in first.get(number, ()))
            lines += [f"   * - :ref:`{number} <chapter{number}>`", f"     - {names or 'nothing: the calls of the chapters before it'}"]
        holder = nodes.Element()
        self.state.nested_parse(StringList(lines, "first-met"), 0, holder)
        return holder.children


def fill_lists(app, doctree, docname):
    env = app.env
    for placeholder in list(doctree.findall(nodes.bullet_list)):
        if "book_cards" not in placeholder:
            continue
        wanted = placeholder["book_cards"]
        found = sorted((page.removeprefix("calls/") for page, data in env.metadata.items()
                        if "card" in data and wanted in ("", data["card"])), key=str.lower)
        placeholder.clear()
        for name in found:
            uri = app.builder.get_relative_uri(docname, f"calls/{name}")
            link = nodes.reference("", "", nodes.literal("", name, classes=["call"]), internal=True, refuri=uri)
            placeholder += nodes.list_item("", nodes.paragraph("", "", link))


def setup(app):
    app.add_config_value("missing_cards", "forbid", "env")
    app.add_directive("call", Card)
    app.add_directive("cards", Cards)
    app.add_directive("first-met", FirstMet)
    app.add_role("call", Call())
    app.connect("env-check-consistency", check_all)
    app.connect("doctree-resolved", fill_lists)
    app.connect("doctree-resolved", resolve_links)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
