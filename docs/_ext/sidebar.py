"""The sidebar: its groups are folded but for the one that a reader is in, and below the name of the book stands where its
sources are (docs/_templates/sidebar/sources.html), with a link to the repository where conf.py or the environment names one.

    :repository:`words`     the same link within a text; without a repository the words alone
"""

import re

from docutils import nodes
from sphinx.util.docutils import SphinxRole

import archive

GROUP = re.compile(r'<p class="caption"[^>]*><span class="caption-text">(?P<title>.*?)</span></p>\s*'
                   r'(?P<list><ul.*?(?=<p class="caption"|\Z))', re.DOTALL)
CURRENT = re.compile(r'class="(?:[^"]* )?current[ "]')
AT_FIRST = 2  # how many groups are open on a page that is in none


def fold(app, page, template, context, doctree):
    context["book_repository"] = app.config.book_repository
    context["book_archives"] = [(ending, f"{archive.NAME}.{ending}") for ending in archive.WRITERS]
    tree = context.get("furo_navigation_tree")
    if not tree:
        return
    inside, count = CURRENT.search(tree) is not None, 0

    def folded(match):
        nonlocal count
        count += 1
        is_open = CURRENT.search(match["list"]) if inside else count <= AT_FIRST
        return (f'<details class="nav-group"{" open" if is_open else ""}><summary class="caption">'
                f'<span class="caption-text">{match["title"]}</span></summary>\n{match["list"].strip()}\n</details>\n')

    context["furo_navigation_tree"] = GROUP.sub(folded, tree)


def add_sheet(app):
    if app.builder.name == "html":  # other outputs have no sidebar
        app.add_css_file("sidebar.css")


class Repository(SphinxRole):
    """:repository:`words`, a link where a repository is named"""

    def run(self):
        where = self.config.book_repository
        return [nodes.reference("", self.text, refuri=where) if where else nodes.Text(self.text)], []


def setup(app):
    app.add_config_value("book_repository", "", "env")
    app.add_role("repository", Repository())
    app.connect("builder-inited", add_sheet)
    app.connect("html-page-context", fold, priority=900)  # behind furo, which makes the tree
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
