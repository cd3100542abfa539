"""recorded: a run as docs/recorded/NN.txt has it: what the reader types in each terminal and what comes back.

The files are written by tests/docs/record. A line that begins with `= ` is the title of a terminal, `$ ` a command,
`> ` typed text, `^ ` a key; `| ` is what the program writes on stdout and `! ` what it writes on stderr.
"""

import html

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

import sources

KINDS = {"$": "typed", ">": "typed", "^": "key", "|": "stdout", "!": "stderr"}


class recorded_terminal(nodes.General, nodes.Element):
    """Lines of one terminal: (mark, text)."""


class Recorded(SphinxDirective):
    """.. recorded:: 07"""

    required_arguments = 1

    def run(self):
        path = sources.ROOT / f"docs/recorded/{self.arguments[0]}.txt"
        self.env.note_dependency(str(path))
        if not path.exists():
            raise self.error(f"recorded: there is no docs/recorded/{path.name}; tests/docs/record writes it")
        result = nodes.container(classes=["recorded"])
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            mark, text = line[:1], line[2:]
            if mark == "=":
                result += nodes.paragraph("", text, classes=["terminal-title"])
                result += recorded_terminal("", lines=[])
            elif mark in KINDS and len(result):
                result[-1]["lines"].append((mark, text))
            else:
                raise self.error(f"recorded: docs/recorded/{path.name}:{number} is not understood: {line}")
        return [result]


def visit_html(self, node):
    lines = []
    for mark, text in node["lines"]:
        shown = html.escape(text, quote=False)
        if mark == "$":
            shown = f'<span class="prompt">$ </span>{shown}'
        lines.append(f'<span class="{KINDS[mark]}">{shown}</span>\n')
    write_terminal(self, lines)
    raise nodes.SkipNode


def write_terminal(self, lines):
    """`lines`: HTML, each with its end."""
    self.body.append('<div class="highlight-text no-copy notranslate"><div class="highlight"><pre tabindex="0">'
                     + "".join(lines) + "</pre></div></div>\n")


def visit_text(self, node):
    self.new_state()
    for mark, text in node["lines"]:
        self.add_text(("$ " if mark == "$" else "") + text + "\n")
    self.end_state(wrap=False)
    raise nodes.SkipNode


def setup(app):
    app.add_node(recorded_terminal, html=(visit_html, None), text=(visit_text, None))
    app.add_directive("recorded", Recorded)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
