"""run-figure: a figure drawn from the recorded trace of a chapter's run, docs/recorded/NN.trace.jsonl.

    .. run-figure:: 07 One client of chapter 07
       :name: fig-07-run
       :from: client connects
       :to: close s2
       :sockets: 1, 2
       :without: call WSAIoctl, associate

A record is named by some of its words, see run_trace.words_of. `:until:` is `:to:` without the record itself. Reading
the trace and choosing from it is in run_trace.py; what is drawn is a figure of lanes.py.

With `:steps:` a reader can step through the figure, and sees the line of code of each step. Where a call is made in
several places of the program it names the region of this one: `:steps: WSAWaitForMultipleEvents wait`.
"""

import lanes
import lanes_model
import run_lines
import run_steps
import run_trace
import sources
from docutils.parsers.rst import directives


def _words(argument):
    return directives.unchanged_required(argument).strip()


def _sockets(argument):
    return frozenset(int(number) for number in argument.split(","))


def _list(argument):
    return tuple(some.strip() for some in argument.split(","))


def _places(argument):
    pairs = [some.split() for some in (argument or "").split(",") if some.strip()]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError("a call and the region in which it stands, and a comma before the next call")
    return dict(pairs)


class RunFigure(lanes.Lanes):
    required_arguments = 2
    final_argument_whitespace = True
    has_content = False
    option_spec = {"name": directives.unchanged, "from": _words, "to": _words, "until": _words, "sockets": _sockets,
                   "without": _list, "steps": _places}

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
            if "steps" in self.options:
                figure, steps = run_trace.stepped(title.astext(), records, choice)
                below = self.below(number, steps)
            else:
                figure, below = run_trace.figure(title.astext(), records, choice), None
        except (run_trace.Mistake, lanes_model.FigureError) as problem:
            raise self.error(f"run-figure: docs/recorded/{path.name}: {problem}") from None
        shown = self.shown(title, figure)
        if below:
            shown["below"] = below
        return [shown, *messages]

    def below(self, number, steps):
        for path in sum(run_lines.files(number), []):
            self.env.note_dependency(str(sources.ROOT / path))
        with_port = any(step.record["event"] == "packet" for step in steps)
        return run_steps.Steps(
            tuple(run_steps.Step(step.who, step.text, run_lines.line_of(number, step.record, self.options["steps"]),
                                 step.lent, step.waits) for step in steps),
            "Packets in the queue" if with_port else "Ended, and its event is set")


def setup(app):
    app.setup_extension("lanes")
    app.add_js_file("stepper.js")
    app.add_directive("run-figure", RunFigure)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
