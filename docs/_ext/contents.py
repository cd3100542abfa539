"""chapters: the ladder as a table of contents, in order, with the short route marked. pages: those of a list that exist."""

from docutils import nodes
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective

import cards
import sources


def tree(env, pages, caption):
    found = [page for page in pages if page in env.found_docs and page != env.docname]
    for page in pages:
        env.note_dependency(env.doc2path(page))
    result = addnodes.toctree(parent=env.docname, entries=[(None, page) for page in found], includefiles=found,
                              maxdepth=1, caption=caption, rawcaption=caption, glob=False, hidden=True,
                              includehidden=False, numbered=0, titlesonly=True)
    return nodes.compound("", result, classes=["toctree-wrapper"])


class Pages(SphinxDirective):
    """.. pages:: Caption, and a page on each line: those that exist go into the table of contents"""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self):
        pages = []
        for line in self.content:
            if line.strip().endswith("*"):
                pages += sorted((page for page in self.env.found_docs if page.startswith(line.strip()[:-1])), key=str.lower)
            elif line.strip():
                pages.append(line.strip())
        return [tree(self.env, pages, self.arguments[0])]


class Encores(SphinxDirective):
    """.. encores:: Caption, and pages that come after them"""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self):
        self.env.note_dependency(str(sources.ROOT / "encores/encores.csv"))
        items, pages = nodes.bullet_list(classes=["ladder"]), []
        for row in sources.encores():
            page = f"encores/{row['name']}"
            pages.append(page)
            title = nodes.inline("", row["name"])
            if page in self.env.found_docs:
                title = cards.page_link(page, title)
            items += nodes.list_item("", nodes.paragraph("", "", title, nodes.Text(": " + row["idea"])))
        pages += [line.strip() for line in self.content if line.strip()]
        return [*([items] if len(items) else []), tree(self.env, pages, self.arguments[0])]


class Chapters(SphinxDirective):
    """.. chapters:: Caption"""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self):
        self.env.note_dependency(str(sources.ROOT / "chapters/ladder.csv"))
        rows = sources.ladder()
        pages = [f"chapters/{row['number']}_{row['name']}" for row in rows]
        items = nodes.bullet_list(classes=["ladder"])
        for row, page in zip(rows, pages):
            text = f"{row['number']} {row['name'].replace('_', ' ')}"
            title = nodes.inline("", text)
            if page in self.env.found_docs:
                title = cards.page_link(page, title)
            paragraph = nodes.paragraph("", "", title, nodes.Text(": " + row["idea"]))
            if row["short route"] == "yes":
                paragraph += [nodes.Text(" "), nodes.inline("", "short route", classes=["short-route"])]
            items += nodes.list_item("", paragraph)
        return [items, tree(self.env, pages, self.arguments[0])]


def setup(app):
    app.add_directive("pages", Pages)
    app.add_directive("chapters", Chapters)
    app.add_directive("encores", Encores)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
