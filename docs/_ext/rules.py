"""rule, as a role: a link to a rule of lifetimes/index.rst. pitfall: a link to what explains a wrong
program. error: a link to the row of a code. anchors: ids as they stand there.
And an anchor for each rule that keeps its digits (docutils takes those at the beginning away), and its entry in the index."""

import re
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx.util.docutils import SphinxRole

import cards
import sources
import wrong

PAGE = "lifetimes/index"
TITLE = re.compile(r"^(?P<title>\S.*)\n\^+$", re.MULTILINE)


def slug(title):
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def titles():
    """From the anchor of a rule to its title, without the backquotes."""
    text = Path(sources.ROOT / f"docs/{PAGE}.rst").read_text(encoding="utf-8")
    found = (match["title"].replace("``", "") for match in TITLE.finditer(text))
    return {slug(title): title for title in found}


class Rule(SphinxRole):
    """:rule:`1168-is-no-failure`"""

    def run(self):
        self.env.note_dependency(str(sources.ROOT / f"docs/{PAGE}.rst"))
        title = titles().get(self.text)
        if title is None:
            message = self.inliner.reporter.error(f"rule: {PAGE} has no rule {self.text}", line=self.lineno)
            return [self.inliner.problematic(self.rawtext, self.rawtext, message)], [message]
        link = cards.page_link(PAGE, nodes.Text(title))
        link["book_anchor"] = self.text
        return [link], []


class Pitfall(SphinxRole):
    """:pitfall:`freed_while_lent`, the name of a program that ./tutorial break knows"""

    def run(self):
        self.env.note_dependency(str(sources.ROOT / wrong.TABLE))
        row = wrong.programs().get(self.text)
        if row is None:
            message = self.inliner.reporter.error(f"pitfall: ./tutorial break knows no {self.text}", line=self.lineno)
            return [self.inliner.problematic(self.rawtext, self.rawtext, message)], [message]
        literal = nodes.literal("", f"./tutorial break {self.text}")
        page, _, anchor = row["page"].partition("#")
        page = next((found for found in (page, f"{page}/index") if found in self.env.found_docs), None)
        if page is None:
            return [literal], []
        link = cards.page_link(page, literal)
        if anchor:
            link["book_anchor"] = anchor
        return [link], []


class Error(SphinxRole):
    """:error:`64`, a link to its row; that there is one, errors.py sees"""

    def run(self):
        link = cards.page_link("errors", nodes.Text(self.text))
        link["book_anchor"] = self.text
        return [link], []


class Anchors(SphinxRole):
    """:anchors:`64 error_netname_deleted`: ids as they stand there"""

    def run(self):
        return [nodes.target("", "", ids=self.text.split())], []


class MarkRules(SphinxTransform):
    default_priority = 800  # before Sphinx collects what goes into the index

    def apply(self):
        if self.env.docname != PAGE:
            return
        known = titles()
        for section in list(self.document.findall(nodes.section)):
            title = section.next_node(nodes.title).astext()
            anchor = slug(title)
            if anchor not in known:
                continue
            if anchor not in section["ids"]:
                section["ids"].append(anchor)
            section.insert(1, addnodes.index(entries=[("single", f"{title} (rule)", anchor, "", None)]))


def setup(app):
    app.add_role("rule", Rule())
    app.add_role("pitfall", Pitfall())
    app.add_role("anchors", Anchors())
    app.add_role("error", Error())
    app.add_transform(MarkRules)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
