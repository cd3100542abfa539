"""The `lanes` directive: figures of threads, kernel and queue, and of who owns which memory when.

    .. lanes:: A receive on a port
       :name: fig-receive

       lane worker "worker thread"
       lane kernel "kernel"
       memory buffer "buffer" mine
       worker -> kernel: WSARecv | lend buffer
       worker: returns WSA_IO_PENDING
       kernel -> worker: the bytes | back buffer

HTML pages get a drawing with the same in words below it; every other format gets the words. Reading the text is in
lanes_model.py, drawing in lanes_svg.py.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import ebook
import lanes_model
import lanes_svg
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.errors import SphinxError
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)
HERE = Path(__file__).resolve().parent
STATIC = HERE.parent / "_static"


class lanes_figure(nodes.General, nodes.Element):
    """Holds the `figure` (the model), then a lanes_title and a lanes_words."""


class lanes_title(nodes.TextElement):
    pass


class lanes_words(nodes.General, nodes.Element):
    pass


class Lanes(SphinxDirective):
    what = "lanes"
    required_arguments = 1
    final_argument_whitespace = True
    option_spec = {"name": directives.unchanged, "class": directives.class_option}
    has_content = True

    def run(self):
        title, messages = self.title(self.arguments[0])
        figure, problems = lanes_model.parse(title.astext(), self.content)
        return self._report(problems) if problems else [self.shown(title, figure), *messages]

    def title(self, text):
        inline, messages = self.state.inline_text(text, self.lineno)
        return lanes_title(text, "", *inline), messages

    def shown(self, title, figure):
        """The node of a figure."""
        node = lanes_figure("", title, self._words(figure), classes=self.options.get("class", []))
        node["figure"] = figure
        self.set_source_info(node)
        self.add_name(node)
        if not node["ids"]:
            self.state.document.set_id(node)
        return node

    def _report(self, problems):
        for index, text in problems:
            source, line = self.content.items[index] if self.content else (self.get_source_info()[0], self.lineno - 1)
            where = f"{source}:{line + 1}"
            logger.error("%s: %s", self.what, text, location=where)
            self.env.lanes_problems.setdefault(self.env.docname, []).append(where)
        self.env.note_reread()
        return []

    @staticmethod
    def _words(figure):
        words = lanes_model.in_words(figure)
        steps = nodes.enumerated_list(enumtype="arabic", prefix="", suffix=".")
        for step in words.steps:
            steps += nodes.list_item("", _paragraph(step))
        node = lanes_words("", _paragraph(words.intro), steps)
        if words.end:
            node += _paragraph(words.end)
        return node


def _paragraph(text: str) -> nodes.paragraph:
    """A paragraph in which names of code are literals."""
    node = nodes.paragraph()
    for index, word in enumerate(lanes_model.words_of(text)):
        if index and not word.glued:
            node += nodes.Text(" ")
        node += nodes.literal(word.text, word.text) if word.code else nodes.Text(word.text)
    return node


class WordsInsteadOfDrawing(SphinxPostTransform):
    """Where a drawing cannot be shown the words stand in its place, as a figure with a caption."""

    default_priority = 200

    def run(self, **kwargs):
        if self.app.builder.format == "html":
            return
        for node in list(self.document.findall(lanes_figure)):
            title, words = node.children
            caption = nodes.caption("", "", *title.children)
            figure = nodes.figure("", caption, *words.children, ids=node["ids"], names=node["names"], classes=node["classes"])
            figure.source, figure.line = node.source, node.line
            node.replace_self(figure)


def drawings(figure, identifier):
    return "".join(lanes_svg.draw(figure, identifier, style) for style in (lanes_svg.WIDE, lanes_svg.NARROW))


DRAWN = {lanes_model.Figure: drawings}  # from the kind of a figure to what draws it


def visit_figure(self, node):
    self.body.append(self.starttag(node, "figure", "", CLASS="lanes"))


def depart_figure(self, node):
    self.body.append("</figure>\n")


def visit_title(self, node):
    self.body.append('<figcaption class="lanes-title"><p>')
    self.add_fignumber(node.parent)
    self.body.append('<span class="caption-text">')


def depart_title(self, node):
    self.body.append("</span>")
    self.add_permalink_ref(node.parent, "Link to this figure")
    self.body.append("</p></figcaption>\n")
    figure, identifier = node.parent["figure"], node.parent["ids"][0]
    drawing = DRAWN[type(figure)](figure, identifier)
    if self.builder.name == "epub":
        drawing = ebook.narrow_alone(drawing)
    self.body.append(f'<div class="lanes-box">{drawing}</div>\n{lanes_svg.legend(figure)}\n')
    if "below" in node.parent and self.builder.name != "epub":
        self.body.append(node.parent["below"].html(self))


def visit_words(self, node):
    self.body.append('<details class="lanes-words"><summary>The same in words</summary>\n')


def depart_words(self, node):
    self.body.append("</details>\n")


def _start(app):
    app.env.lanes_problems = getattr(app.env, "lanes_problems", {})
    if STATIC not in [(Path(app.confdir) / path).resolve() for path in app.config.html_static_path]:
        app.config.html_static_path.append(str(STATIC))


def _purge(app, env, docname):
    env.lanes_problems.pop(docname, None)


def _merge(app, env, docnames, other):
    env.lanes_problems.update(other.lanes_problems)


def _fail(app, exception):
    problems = [where for places in app.env.lanes_problems.values() for where in places]
    if problems and exception is None:
        raise SphinxError(f"figures that cannot be drawn: {', '.join(problems)}")


def setup(app):
    html = {"html": (visit_figure, depart_figure)}
    app.add_enumerable_node(lanes_figure, "figure", lambda node: node.children[0].astext(), **html)
    app.add_node(lanes_title, html=(visit_title, depart_title))
    app.add_node(lanes_words, html=(visit_words, depart_words))
    app.add_directive("lanes", Lanes)
    app.add_post_transform(WordsInsteadOfDrawing)
    app.add_css_file("lanes.css")
    app.connect("builder-inited", _start)
    app.connect("env-purge-doc", _purge)
    app.connect("env-merge-info", _merge)
    app.connect("build-finished", _fail)
    # Pages are built anew when the drawing changes.
    version = zlib.crc32(b"".join(path.read_bytes() for path in sorted(HERE.glob("lanes*.py"))))
    return {"version": "1", "env_version": version, "parallel_read_safe": True, "parallel_write_safe": True}
