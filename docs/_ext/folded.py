"""answer: something folded, to be opened by a click and without JavaScript. happened: a report of a real case, in a box."""

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

SHORTEST, LONGEST = 40, 80  # words of what has happened


class folded(nodes.General, nodes.Element):
    """A folded_title, then what is folded."""


class folded_title(nodes.TextElement):
    pass


def fold(title, *content, classes=()):
    return folded("", folded_title("", "", *title), *content, classes=["folded", *classes])


class Answer(SphinxDirective):
    """.. answer:: What stands to be clicked; "Answer" if nothing is said"""

    optional_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec = {"name": directives.unchanged}

    def run(self):
        self.assert_has_content()
        title, messages = self.state.inline_text(self.arguments[0] if self.arguments else "Answer", self.lineno)
        node = fold(title, classes=["answer"])
        self.set_source_info(node)
        self.state.nested_parse(self.content, self.content_offset, node)
        self.add_name(node)
        return [node, *messages]


class Happened(SphinxDirective):
    """.. happened:: tinymux, issue 823 <https://...>, and 40 to 80 words"""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self):
        self.assert_has_content()
        text, _, link = self.arguments[0].rpartition("<")
        if not text.strip() or not link.startswith("https://") or not link.endswith(">"):
            raise self.error("happened: it wants the report's name and link, as in `c-ares, issue 1247 <https://...>`")
        box = nodes.container("", nodes.paragraph("", "It happened", classes=["marker-label"]),
                              classes=["marker", "happened"])
        self.state.nested_parse(self.content, self.content_offset, box)
        words = sum(len(part.astext().split()) for part in box.children[1:])
        if not SHORTEST <= words <= LONGEST:
            raise self.error(f"happened: {words} words; it is to have {SHORTEST} to {LONGEST}")
        box += nodes.paragraph("", "", nodes.reference("", text.strip(), refuri=link[:-1]), classes=["report"])
        return [box]


def visit_folded(self, node):
    self.body.append(self.starttag(node, "details", ""))


def depart_folded(self, node):
    self.body.append("</details>\n")


def visit_title(self, node):
    self.body.append("<summary>")


def depart_title(self, node):
    self.body.append("</summary>\n")


def nothing(self, node):
    pass


def visit_title_text(self, node):
    self.new_state(0)


def depart_title_text(self, node):
    self.end_state()


def setup(app):
    app.add_node(folded, html=(visit_folded, depart_folded), text=(nothing, nothing))
    app.add_node(folded_title, html=(visit_title, depart_title), text=(visit_title_text, depart_title_text))
    app.add_directive("answer", Answer)
    app.add_directive("happened", Happened)
    app.add_js_file("book.js")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
