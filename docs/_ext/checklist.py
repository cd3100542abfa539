"""checklist: the rules of lifetimes/index.rst, a line each, in their order and groups. The lines stand in
docs/lifetimes/checklist.csv; the build stops when a rule has none, or a line no rule."""

import csv
import re

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

import cards
import rules
import sources

TABLE = "docs/lifetimes/checklist.csv"
HEADING = re.compile(r"^(?P<title>\S.*)\n(?P<under>-{3,}|\^{3,})$", re.MULTILINE)


def lines():
    with open(sources.ROOT / TABLE, encoding="utf-8", newline="") as file:
        return {row["rule"]: row["line"] for row in csv.DictReader(file)}


def groups():
    """The page's sections, each with the anchors of its rules."""
    found = []
    for match in HEADING.finditer((sources.ROOT / f"docs/{rules.PAGE}.rst").read_text(encoding="utf-8")):
        if match["under"].startswith("-"):
            found.append((match["title"], []))
        else:
            found[-1][1].append(rules.slug(match["title"]))
    return [(title, anchors) for title, anchors in found if anchors]


class Checklist(SphinxDirective):
    """.. checklist::"""

    def run(self):
        for path in (TABLE, f"docs/{rules.PAGE}.rst"):
            self.env.note_dependency(str(sources.ROOT / path))
        said, known = lines(), groups()
        anchors = [anchor for _, group in known for anchor in group]
        for anchor in anchors:
            if not said.get(anchor):
                raise self.error(f"checklist: {TABLE} has no line for the rule {anchor}")
        if strangers := sorted(set(said) - set(anchors)):
            raise self.error(f"checklist: {TABLE} has a line for {strangers[0]}, and {rules.PAGE} has no such rule")
        result = nodes.container(classes=["checklist"])
        for title, group in known:
            result += nodes.paragraph("", title, classes=["part-label"])
            items = nodes.bullet_list()
            for anchor in group:
                link = cards.page_link(rules.PAGE, nodes.Text(said[anchor]))
                link["book_anchor"] = anchor
                items += nodes.list_item("", nodes.paragraph("", "", link))
            result += items
        return [result]


def setup(app):
    app.add_directive("checklist", Checklist)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
