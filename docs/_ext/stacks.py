"""Wide tables in narrow windows: in a table of the class `stacks` each row becomes a block of its own there, and each cell says
which column it is of. docs/_static/book.css does the rest; a wide window shows an ordinary table.
"""

from html import escape

from docutils import nodes


def label_cells(app, doctree, docname):
    for table in doctree.findall(nodes.table):
        if "stacks" not in table["classes"]:
            continue
        titles = [entry.astext() for entry in table.next_node(nodes.thead).findall(nodes.entry)]
        for row in table.next_node(nodes.tbody).children:
            for title, cell in list(zip(titles, row.children))[1:]:
                first = cell.next_node(nodes.paragraph)
                if title and first is not None:
                    first.insert(0, nodes.raw("", f'<span class="stack-label">{escape(title)}: </span>', format="html"))


def setup(app):
    app.connect("doctree-resolved", label_cells)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
