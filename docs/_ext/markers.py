"""wine and only-windows: small markers in the text."""

from docutils import nodes
from docutils.parsers.rst import Directive


class Marker(Directive):
    has_content = True
    label = ""
    style = ""

    def run(self):
        self.assert_has_content()
        marker = nodes.container(classes=["marker", self.style])
        marker += nodes.paragraph("", self.label, classes=["marker-label"])
        self.state.nested_parse(self.content, self.content_offset, marker)
        return [marker]


class Wine(Marker):
    label = "Under Wine"
    style = "wine"


class OnlyWindows(Marker):
    label = "Only Windows shows this"
    style = "only-windows"


def setup(app):
    app.add_directive("wine", Wine)
    app.add_directive("only-windows", OnlyWindows)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
