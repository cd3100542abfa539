"""Anchors that keep their digits: docutils leaves out those at the beginning of a title, and "64 events" became #events.

The section's first anchor has them; the shorter one stays beside it for links that exist already.
"""

import re

from docutils import nodes
from sphinx.transforms import SphinxTransform


class KeepDigits(SphinxTransform):
    default_priority = 700  # when the sections have their anchors, and before anybody reads them

    def apply(self):
        for section in self.document.findall(nodes.section):
            title = section.next_node(nodes.title).astext()
            anchor = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
            if anchor[:1].isdigit() and anchor not in self.document.ids:
                section["ids"].insert(0, anchor)
                self.document.ids[anchor] = section


def setup(app):
    app.add_transform(KeepDigits)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
