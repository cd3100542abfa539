"""The book as an EPUB, `./tutorial docs --epub`: its style sheets in a form that reading devices understand.

Such a device knows neither the theme nor, often, variables, dark colours and windows that change. So each sheet is written
anew: values instead of variables, the light colours alone, no rules for a window of some width. What is drawn stands on
white, so that it can be read on a dark page as well.
"""

import re
import shutil
from pathlib import Path

from docutils import nodes
from sphinx.builders.epub3 import Epub3Builder
from sphinx.errors import ExtensionError
from sphinx.transforms.post_transforms import SphinxPostTransform

# What furo gives these names; in an EPUB there is no furo.
THEME = {
    "color-foreground-primary": "#000000", "color-foreground-secondary": "#5a5c63", "color-foreground-muted": "#6b6f76",
    "color-foreground-border": "#878787", "color-background-primary": "#ffffff", "color-background-secondary": "#f8f9fb",
    "color-background-border": "#d9d7d9", "color-link": "#2757dd", "color-highlight-on-target": "#ffffcc",
}
OWN = """
body { overflow-wrap: anywhere; }
dl.field-list { display: block; }
dl.field-list > dd { margin-left: 2em; }
figure.lanes, figure.import-tables { background: #ffffff; color: #000000; padding: 0.6em; border: 1px solid #d9d7d9; page-break-inside: avoid; }
figure.lanes a, figure.lanes code { color: #000000; background: none; }
.lanes-svg.lanes-narrow { display: block; width: 100%; max-width: 30em; }
pre { white-space: pre-wrap; font-size: 0.8em; }
.code pre .line, .code pre ins, .changes pre .line { min-width: 0; }
table { border-collapse: collapse; }
td, th { border: 1px solid #d9d7d9; padding: 0.2em 0.4em; vertical-align: top; text-align: left; overflow-wrap: anywhere; }
table.docutils { table-layout: fixed; width: 100%; }
table.stacks { font-size: 0.8em; }
table.expectations { table-layout: auto; }
table.bench { table-layout: auto; font-size: 0.6em; }
details table.bench { font-size: 0.5em; }
table.bench td, table.bench th { padding: 0.2em; }
table.indextable { table-layout: fixed; }
img { max-width: 100%; }
a.headerlink { display: none; }
"""
VARIABLE = re.compile(r"var\(--(?P<name>[\w-]+)(?:,\s*(?P<otherwise>(?:[^()]|\([^()]*\))*))?\)")
DROPPED = ("@supports", "@media (prefers", "@media (max-width", "@media screen and (max-width", "@media (min-width", "@media print", 'body[data-theme="dark"]')


def blocks(sheet):
    """The rules of a sheet, each with what is in its outermost braces."""
    start = depth = 0
    for index, letter in enumerate(sheet):
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if letter == "}" and depth == 0:
            yield sheet[start:index + 1].strip()
            start = index + 1


def plain(sheet, values):
    """The sheet without what a device may not know. `values` are those of the names before; the sheet's own are added."""
    kept = []
    for block in blocks(re.sub(r"/\*.*?\*/", "", sheet, flags=re.DOTALL)):
        if block.startswith(DROPPED):
            continue
        if re.match(r"body\s*\{", block):
            values.update(re.findall(r"--([\w-]+):\s*([^;]+);", block))
        else:
            kept.append(block)

    def value(match):
        found = values.get(match["name"], match["otherwise"])
        if found is None:
            raise ExtensionError(f"ebook: no value for --{match['name']}; docs/_ext/ebook.py has those of the theme")
        return VARIABLE.sub(value, found)

    return "\n".join(VARIABLE.sub(value, block) for block in kept) + "\n"


def narrow_alone(drawing):
    """Of the two drawings of a figure the one for a narrow window."""
    return re.sub(r'<svg class="[^"]*\blanes-wide\b.*?</svg>', "", drawing, flags=re.DOTALL)


def use_plain_sheets(app):
    if app.builder.name != "epub":
        return
    folder = Path(app.doctreedir) / "epub_static"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    values = dict(THEME)
    sheets = [path for name in ("book.css", "lanes.css", "bench.css", "watch.css")
              for path in [Path(app.confdir) / "_static" / name] if path.exists()]
    for path in sheets:  # once for the names, which one sheet takes from another
        values.update(re.findall(r"--([\w-]+):\s*([^;]+);", "".join(
            block for block in blocks(path.read_text(encoding="utf-8")) if re.match(r"(/\*.*?\*/\s*)*body\s*\{", block, re.DOTALL))))
    for path in sheets:
        (folder / path.name).write_text(plain(path.read_text(encoding="utf-8"), values), encoding="utf-8")
    with open(folder / sheets[0].name, "a", encoding="utf-8") as file:
        file.write(OWN)
    (folder / "copybutton.css").write_text("/* There is no button in a book. */\n", encoding="utf-8")
    app.config.html_static_path = [str(folder)]


class BlocksOutOfParagraphs(SphinxPostTransform):
    """What Breathe puts into a paragraph though it is a block of its own: browsers mend that, an EPUB may not have it."""

    default_priority = 200

    def run(self, **kwargs):
        for block in list(self.document.findall(nodes.Admonition)):
            if isinstance(block.parent, nodes.paragraph) and len(block.parent.children) == 1:
                block.parent.replace_self(block)


class Book(Epub3Builder):
    """Sphinx's own, which does not say of a page that there are drawings in it; EPUB asks for that."""

    def build_content(self):
        super().build_content()
        path = Path(self.outdir) / "content.opf"

        def item(match):
            page = Path(self.outdir) / match["page"]
            drawn = "<svg" in page.read_text(encoding="utf-8")
            return match[0].replace("<item ", '<item properties="svg" ') if drawn else match[0]

        path.write_text(re.sub(r'<item id="[^"]*" href="(?P<page>[^"]+\.xhtml)" media-type="[^"]*" />', item,
                               path.read_text(encoding="utf-8")), encoding="utf-8")


def setup(app):
    app.add_builder(Book, override=True)
    app.add_post_transform(BlocksOutOfParagraphs)
    app.connect("builder-inited", use_plain_sheets, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
