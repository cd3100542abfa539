"""exercise: what tests/exercises/NN.toml says, for the end of a chapter's page: the task, how it is tried, a hint and what we would
have written, both folded. exercises: the list of all."""

import importlib
import sys

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

import cards
import folded
import regions
import sources
import watch


def tables():
    """The module that reads them. Only here: a book without exercises has none."""
    folder = str(sources.ROOT / "tests/exercises")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return importlib.import_module("exercises")


def note(env, reader, number):
    for path in (reader.path_of(number), sources.ROOT / "tests/exercises/exercises.py", sources.ROOT / "chapters/ladder.csv"):
        env.note_dependency(str(path))


class Exercise(SphinxDirective):
    """.. exercise:: 05"""

    required_arguments = 1

    def run(self):
        reader = tables()
        number = self.arguments[0]
        note(self.env, reader, number)
        try:
            exercise = reader.read(number)
            before, after = exercise.started(), exercise.solved()
        except reader.Mistake as mistake:
            raise self.error(f"exercise: {mistake}")
        if self.env.docname != f"chapters/{exercise.chapter}":
            raise self.error(f"exercise: that of {number} belongs into docs/chapters/{exercise.chapter}.rst")
        for name in before:
            self.env.note_dependency(str(sources.ROOT / f"chapters/{exercise.chapter}/{name}"))
        box = nodes.container(classes=["exercise"])
        box += nodes.paragraph("", "", nodes.strong("", exercise.title + "."))
        box += self.prose(exercise.task)
        command = watch.narrated_lines("", lines=[("$", f"./tutorial exercise {number}")])
        box += nodes.container("", command, classes=["recorded", "narrated"])
        box += self.prose("It is done when " + self.tests(exercise) + ".")
        box += folded.fold([nodes.Text("A hint")], *self.prose(exercise.hint), classes=["answer"])
        box += folded.fold([nodes.Text("What we would have written")], *self.differences(exercise, before, after),
                           *self.prose(exercise.why), classes=["answer"])
        self.set_source_info(box)
        return [box]

    def prose(self, text):
        parsed = nodes.container()
        self.state.nested_parse(StringList(text.splitlines(), source=self.get_source_info()[0]), self.content_offset, parsed)
        return parsed.children

    @staticmethod
    def tests(exercise):
        said = []
        for check in exercise.checks:
            group = check.tests[:2] if check.tests[:2].isdigit() else "policies"
            links = [f":test:`{group}: {name}`" for name in check.names]
            passes = "passes" if len(links) == 1 else "pass"
            said.append(f"{' and '.join(links)} {passes}" + (" under :doc:`the watch </watch/index>`" if check.watched else ""))
        return ", and ".join(said)

    def differences(self, exercise, before, after):
        shown = []
        for name in after:
            lines = regions.diff(without_markers(before[name]), without_markers(after[name]))
            if lines:
                block = regions.changes_block("", lines=lines)
                self.set_source_info(block)
                wrapper = nodes.container("", literal_block=True, classes=["literal-block-wrapper", "changes-wrapper"])
                path = f"exercises/{exercise.chapter}/{name}"
                wrapper += [nodes.caption("", "", nodes.literal("", path)), block]
                shown.append(wrapper)
        return shown


def without_markers(text):
    return "".join(line + "\n" for line in text.splitlines() if not sources.MARKER.match(line))


class Exercises(SphinxDirective):
    """.. exercises:: all of them, by chapter, each a link"""

    def run(self):
        reader = tables()
        items = nodes.bullet_list(classes=["ladder"])
        for number in reader.numbers():
            note(self.env, reader, number)
            try:
                exercise = reader.read(number)
            except reader.Mistake as mistake:
                raise self.error(f"exercises: {mistake}")
            link = cards.page_link(f"chapters/{exercise.chapter}", nodes.inline("", exercise.title))
            link["book_anchor"] = "exercise"
            line = nodes.paragraph("", "", nodes.Text(f"{number} {exercise.chapter[3:].replace('_', ' ')}: "), link)
            items += nodes.list_item("", line)
        return [items]


def setup(app):
    app.add_directive("exercise", Exercise)
    app.add_directive("exercises", Exercises)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
