"""The `picture` directive: boxes that point to each other, and states with the ways between them.

    .. picture:: From the packet to its connection
       :name: fig-07-objects

       box packet "completion packet" queue
          overlapped "OVERLAPPED *"
       box c "connection" lent
          base "OVERLAPPED"
          buffer
       packet.overlapped -> c.base

Like `lanes` it draws for HTML, with the same in words below, and writes the words alone everywhere else. Reading the text
is in picture_model.py, drawing in picture_svg.py.
"""

import zlib
from pathlib import Path

import lanes
import picture_model
import picture_svg
from docutils import nodes
from sphinx.errors import ExtensionError

HERE = Path(__file__).resolve().parent


class Picture(lanes.Lanes):
    what = "picture"

    def run(self):
        title, messages = self.title(self.arguments[0])
        picture, problems = picture_model.parse(title.astext(), self.content)
        return self._report(problems) if problems else [self.shown(title, picture), *messages]

    @staticmethod
    def _words(picture):
        words = picture_model.in_words(picture)
        steps = nodes.bullet_list(bullet="-")
        for step in words.steps:
            steps += nodes.list_item("", lanes._paragraph(step))
        return lanes.lanes_words("", lanes._paragraph(words.intro), *([steps] if words.steps else []))


def drawings(figure, identifier):
    try:
        return "".join(picture_svg.draw(figure, identifier, style) for style in (picture_svg.WIDE, picture_svg.NARROW))
    except picture_svg.NoGraphviz as problem:
        raise ExtensionError(str(problem)) from None


def setup(app):
    lanes.DRAWN[picture_model.Picture] = drawings
    app.add_directive("picture", Picture)
    version = zlib.crc32(b"".join(path.read_bytes() for path in sorted(HERE.glob("picture*.py"))))
    return {"version": "1", "env_version": version, "parallel_read_safe": True, "parallel_write_safe": True}
