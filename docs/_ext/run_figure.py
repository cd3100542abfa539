"""run-figure: a figure drawn from the recorded trace of a chapter's run, docs/recorded/NN.trace.jsonl.

    .. run-figure:: 07 One client of chapter 07
       :name: fig-07-run
       :from: client connects
       :to: close s2
       :sockets: 1, 2
       :without: call WSAIoctl, associate

A record is named by some of its words, see run_trace.words_of. `:until:` is `:to:` without the record itself. Reading
the trace and choosing from it is in run_trace.py; what is drawn is a figure of lanes.py.
"""

import lanes
import lanes_model
import run_trace
import sources
from docutils.parsers.rst import directives


def _words(argument):
    return directives.unchanged_required(argument).strip()


def _sockets(argument):
    return frozenset(int(number) for number in argument.split(","))


def _list(argument):
    return tuple(some.strip() for some in argument.split(","))


class RunFigure(lanes.Lanes):
    required_arguments = 2
    final_argument_whitespace = True
    has_content = False
    option_spec = {"name": directives.unchanged, "from": _words, "to": _words, "until": _words, "sockets": _sockets,
                   "without": _list}

    def run(self):
        number, title = self.arguments
        path = sources.ROOT / f"docs/recorded/{number}.trace.jsonl"
        self.env.note_dependency(str(path))
        if not path.exists():
            raise self.error(f"run-figure: there is no docs/recorded/{path.name}; tests/docs/record_traces writes it")
        choice = run_trace.Choice(first=self.options.get("from"), last=self.options.get("to"),
                                  until=self.options.get("until"), sockets=self.options.get("sockets", frozenset()),
                                  without=self.options.get("without", ()))

        title, messages = self.title(title)
        try:
            records = run_trace.read(path.read_text(encoding="utf-8"), path.name)
            figure = run_trace.figure(title.astext(), records, choice)
        except (run_trace.Mistake, lanes_model.FigureError) as problem:
            raise self.error(f"run-figure: docs/recorded/{path.name}: {problem}") from None
        return [self.shown(title, figure), *messages]


def setup(app):
    app.setup_extension("lanes")
    app.add_directive("run-figure", RunFigure)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
