"""How long a page of a chapter is. A page that says `:form: new` at its top has at most so many words and lines of code.

Counted is prose. Not counted: tables, code and its captions, recorded runs, figures, names of tests, what is folded, and
the section "Sources". tests/docs/words prints the numbers.
"""

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

import folded
import regions
import sources

log = logging.getLogger(__name__)
MOST_WORDS, MOST_CODE = 1800, 120

NOT_PROSE = (nodes.table, nodes.literal_block, nodes.caption, nodes.figure, nodes.comment, nodes.system_message,
             nodes.raw, folded.folded)
NO_CODE = ("console", "text", "none", "bash", "sh", "shell", "bat", "powershell", "ini", "json")
QUIET_CLASSES = {"recorded", "to-program", "part-label", "marker-label", "report", "check"}


def is_left_out(node):
    if isinstance(node, NOT_PROSE) or type(node).__name__ in ("changes_block", "lanes_figure", "picture_figure"):
        return True
    if isinstance(node, nodes.section) and node.next_node(nodes.title).astext() == "Sources":
        return True
    return isinstance(node, nodes.Element) and bool(QUIET_CLASSES & set(node.get("classes", ())))


def text_of(node):
    if isinstance(node, nodes.Text):
        return node.astext()
    if is_left_out(node):
        return ""
    glue = " " if not isinstance(node, nodes.TextElement) else ""
    return glue + glue.join(text_of(child) for child in node.children) + glue


def words(doctree):
    return sum(any(letter.isalnum() for letter in word) for word in text_of(doctree).split())


def code_lines(doctree):
    def is_folded(node):
        while node is not None and not isinstance(node, folded.folded):
            node = node.parent
        return node is not None

    lines = 0
    for block in doctree.findall(nodes.literal_block):
        if block.get("language", "cpp") not in NO_CODE and not is_folded(block):
            lines += len(block.astext().rstrip("\n").split("\n"))
    for block in doctree.findall(regions.changes_block):
        if not is_folded(block):
            lines += sum(line is not None for line in block["lines"])
    return lines


def count(app, doctree):
    docname = app.env.docname
    if not docname.startswith(("chapters/", "encores/")):
        return
    data = app.env.metadata[docname]
    data["words"], data["code_lines"] = words(doctree), code_lines(doctree)
    form = data.get("form")
    if form not in (None, "new"):
        log.warning("form: a page says `:form: new`, or nothing, not '%s'", form, location=docname)
    for what, there, most in (("words of prose", data["words"], MOST_WORDS), ("lines of code", data["code_lines"], MOST_CODE)):
        if form == "new" and there > most:
            log.warning("this page has %d %s; a page of a chapter has at most %d", there, what, most, location=docname)


# How fast a reader is: slow enough for prose with code in it.
WORDS_A_MINUTE, LINES_A_MINUTE = 150, 12


def minutes(data):
    return data["words"] / WORDS_A_MINUTE + data["code_lines"] / LINES_A_MINUTE


class reading_times(nodes.General, nodes.Element):
    """A place for the table: the pages are counted by the time that it is filled in."""


class ReadingTimes(SphinxDirective):
    """.. reading-times:: with the numbers of chapters, which are the rows"""

    has_content = True

    def run(self):
        return [reading_times("", numbers=" ".join(self.content).split())]


def row(cells):
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", cell)) for cell in cells))


def fill_in(app, doctree, docname):
    for place in list(doctree.findall(reading_times)):
        known = sources.folders()
        pages = [f"chapters/{known[number]}" for number in place["numbers"]]
        counted = [(page, app.env.metadata[page]) for page in pages if "words" in app.env.metadata.get(page, {})]
        if len(counted) != len(pages):
            log.warning("reading-times: a page of these chapters is missing: %s", ", ".join(pages), location=docname)
            continue
        body = [row([nodes.reference("", app.env.titles[page].astext(), internal=True,
                                     refuri=app.builder.get_relative_uri(docname, page)),
                     nodes.Text(f"{data['words']:,}"), nodes.Text(str(data["code_lines"])),
                     nodes.Text(f"{minutes(data):.0f}")]) for page, data in counted]
        total = [sum(data[what] for _, data in counted) for what in ("words", "code_lines")]
        body.append(row([nodes.strong("", "all of it"), nodes.Text(f"{total[0]:,}"), nodes.Text(str(total[1])),
                         nodes.Text(f"{sum(minutes(data) for _, data in counted):.0f}")]))
        group = nodes.tgroup("", *(nodes.colspec(colwidth=width) for width in (52, 16, 18, 14)),
                             nodes.thead("", row([nodes.Text(text) for text in ("Page", "Words", "Lines of code", "Minutes")])),
                             nodes.tbody("", *body), cols=4)
        place.replace_self(nodes.table("", group, classes=["reading-times", "colwidths-given"]))


def setup(app):
    app.connect("doctree-read", count, priority=900)
    app.add_node(reading_times)
    app.add_directive("reading-times", ReadingTimes)
    app.connect("doctree-resolved", fill_in)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
