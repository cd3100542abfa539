"""What stands below a figure of a run, to step through it: for each step the line of code, what is lent and what waits to
be told. It is in the page, hidden; docs/_static/stepper.js shows one step at a time."""

from dataclasses import dataclass
from html import escape

import lanes_model
import regions
import sources

AROUND = 2  # so many lines of code before a line, and after it


@dataclass(frozen=True)
class Step:
    who: str  # the thread, or who else
    text: str
    line: tuple[str, int] | None  # path and number
    lent: tuple[str, ...]
    waits: tuple[str, ...]


@dataclass(frozen=True)
class Steps:
    steps: tuple[Step, ...]
    waits: str  # what the waiting is called: packets in a queue, or events that are set

    def html(self, visitor):
        """For a visitor of Sphinx that writes HTML."""
        items = "".join(f"<li>{self.step(step, number, visitor)}</li>\n" for number, step in enumerate(self.steps, 1))
        return f'<ol class="run-steps" hidden>\n{items}</ol>\n'

    def step(self, step, number, visitor):
        told = (f'<p class="run-step">Step {number} of {len(self.steps)}, {escape(step.who)}: '
                f"{in_html(step.text)}</p>\n")
        code = shown(*step.line, visitor) if step.line else "<p>The server does nothing here: it waits.</p>\n"
        return told + code + listed("Lent now", step.lent) + listed(self.waits, step.waits)


def listed(title, texts):
    said = "; ".join(in_html(text) for text in texts) or "nothing"
    return f'<p class="run-state"><b>{escape(title)}:</b> {said}</p>\n'


def in_html(text):
    out = ""
    for index, word in enumerate(lanes_model.words_of(text)):
        out += " " if index and not word.glued else ""
        out += f'<code class="literal">{escape(word.text)}</code>' if word.code else escape(word.text)
    return out


def shown(path, number, visitor):
    """The line among its neighbours, under the name of its file."""
    lines = (sources.ROOT / path).read_text(encoding="utf-8").splitlines()
    first = max(1, number - AROUND)
    near = sources.trimmed([(at, lines[at - 1]) for at in range(first, min(len(lines), number + AROUND) + 1)
                            if not sources.MARKER.match(lines[at - 1])])
    out = []
    tokens = regions.token_lines("\n".join(text for _, text in near))
    for (at, _), parts in zip(near, tokens):
        css = "line now" if at == number else "line"
        out.append(f'<span class="{css}">{"".join(regions.span(kind, part) for kind, part in parts)}\n</span>')
    name = f"<code>{escape(path)}</code>, line {number}"
    page = sources.page_of(path)
    if page in visitor.builder.env.found_docs:
        link = visitor.builder.get_relative_uri(visitor.builder.current_docname, page)
        name = f'<a href="{escape(link)}#{path.rpartition("/")[2]}-L{number}">{name}</a>'
    return (f'<p class="run-file">{name}</p>\n<div class="highlight-cpp notranslate code no-copy"><div class="highlight">'
            f'<pre tabindex="0">{"".join(out)}</pre></div></div>\n')
