"""single: the one file that `./tutorial single NN` writes, as the page shows it, with a button that copies it."""

import sys

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

import sources

sys.path.append(str(sources.ROOT / "cmake"))
import single  # noqa: E402

SHOWN = ("09", "12", "17")  # those at whose ends a reader may stop


def pages():
    """programs/single/NN_name of each: its page to its number."""
    return {f"programs/single/{folder}": number for number, folder in sources.folders().items() if number in SHOWN}


class Single(SphinxDirective):
    """.. single:: 12"""

    required_arguments = 1

    def run(self):
        try:
            folder, title = single.find(self.arguments[0])
            name = single.name_of(folder)
            made = single.Whole(folder, title)
        except single.Mistake as problem:
            raise self.error(f"single: {problem}")
        for path in (*made.files, "cmake/single.py", "chapters/ladder.csv", "encores/encores.csv"):
            self.env.note_dependency(str(sources.ROOT / path))
        count = f"{len(made.text.splitlines()):,} lines"
        said = nodes.paragraph("", "", nodes.Text("What "), nodes.literal("", f"./tutorial single {self.arguments[0]}"),
                               nodes.Text(f" writes: {count}, from {len(made.files)} files. The licence is MIT-0: take what you "
                                          "need; no notice has to come with it. One command builds it, with mingw-w64, Visual C++ "
                                          "or clang-cl:"))
        commands = "\n".join(made.command(compiler, f"{name}.cpp", f"{name}.exe") for compiler in ("mingw", "msvc", "clang-cl"))
        return [said, nodes.literal_block(commands, commands, language="text"),
                nodes.literal_block(made.text, made.text, language="cpp")]


def setup(app):
    app.add_directive("single", Single)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
