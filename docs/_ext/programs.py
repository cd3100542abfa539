"""The whole programs, each a page of the site: programs/NN_name, programs/common/NAME, ...

Their sources are written into docs/programs/ before the pages are read, a line each, and are not kept under version
control: which pages there are follows from the folders. whole-program: all files of one. programs: the list of all. And each
page of a chapter begins with a link to its program, and to the same in one file (one_file.py), where that is shown.
"""

import re
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

import cards
import contents
import news
import one_file
import regions
import sources

WITHOUT_NOTICE = ("chapters/", "encores/", "common/", "tests/policies/")  # folders with a LICENSE of their own, MIT-0
INDEX = """\
The programs, whole
===================

Each program of this book as one page, with numbered lines. Lines that the chapter before does not have are marked.

.. programs::
"""


def write_pages(app):
    """Before the pages are looked for. What has not changed is not written, so that it is not read again."""
    folder = Path(app.srcdir) / "programs"
    wanted = {"index": INDEX}
    for page, files in sources.program_pages().items():
        title = title_of(page, files)
        wanted[page.removeprefix("programs/")] = f"{title}\n{'=' * len(title)}\n\n.. whole-program:: {' '.join(files)}\n"
    for page, number in one_file.pages().items():
        title = page.rpartition("/")[2] + ", in one file"
        wanted[page.removeprefix("programs/")] = f"{title}\n{'=' * len(title)}\n\n.. single:: {number}\n"
    for path in folder.rglob("*.rst"):
        if path.relative_to(folder).with_suffix("").as_posix() not in wanted:
            path.unlink()
    for name, text in wanted.items():
        path = folder / f"{name}.rst"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def title_of(page, files):
    name = page.removeprefix("programs/")
    if files[0].startswith(("chapters/", "encores/")):
        return name.removeprefix("encores/")
    if len(files) == 1:
        return files[0]
    folder, _, last = files[0].rpartition("/")
    return f"{folder}/{last.rpartition('.')[0]}"


def count(number, word):
    return f"{number:,} {word}" + ("" if number == 1 else "s")


def listed(links):
    out = []
    for index, link in enumerate(links):
        out += [nodes.Text(", " if index < len(links) - 1 else " and ")] if index else []
        out.append(link)
    return out


class Program(SphinxDirective):
    """.. whole-program:: chapters/10_both_directions/main.cpp chapters/10_both_directions/connection.hpp ..."""

    required_arguments = 1
    optional_arguments = 100

    def run(self):
        texts = {}
        for path in self.arguments:
            regions.note_what_it_shows(self.env, path)
            try:
                texts[path] = (sources.ROOT / path).read_text(encoding="utf-8").splitlines()
            except OSError:
                raise self.error(f"whole-program: there is no file {path}")
        return [self.head(texts), *(part for path in texts for part in self.file(path, texts))]

    def head(self, texts):
        first = self.arguments[0]
        said = nodes.paragraph()
        chapter = first.split("/")[1] if first.startswith("chapters/") else None
        if chapter:
            said += nodes.Text("Chapter ")
            page = f"chapters/{chapter}"
            said += cards.page_link(page, nodes.inline("", chapter[:2])) if page in self.env.found_docs else \
                nodes.Text(chapter[:2])
            said += nodes.Text(": ")
        if first.startswith("encores/"):
            page = first.rpartition("/")[0]
            name = nodes.inline("", page.removeprefix("encores/"))
            said += nodes.Text("Encore ")
            said += cards.page_link(page, name) if page in self.env.found_docs else name
            said += nodes.Text(": ")
        said += nodes.Text(f"{count(len(texts), 'file')}, {count(sum(map(len, texts.values())), 'line')}.")
        if first.startswith(WITHOUT_NOTICE) and not first.startswith("common/watch/"):
            said += nodes.Text(" Take what you need: its licence is MIT-0, and no notice has to come with it.")
        used = sorted({name for path in texts for name in
                       sources.LOCAL_INCLUDE.findall("\n".join(texts[path])) if name.startswith("common/")})
        used = [name for name in used if name not in texts]
        if used:
            said += nodes.Text(" Of common/ it uses ")
            said += listed([self.link(name) for name in used])
            said += nodes.Text(".")
        before = sources.chapter_before(first)
        if before and news.share(f"chapters/{chapter}", before) > news.NEARLY_ALL:
            said += nodes.Text(f" Nearly every line is new after chapter {before.split('/')[1][:2]}, so none is marked.")
        elif before:
            page = sources.page_of(before + "/main.cpp")
            said += [nodes.Text(" Marked is what "), self.link(before + "/main.cpp", before.split("/")[1]),
                     nodes.Text(" does not have.")]
        result = nodes.container("", said, classes=["program-head"])
        if len(texts) > 1:
            files = nodes.bullet_list(classes=["files"])
            for path, lines in texts.items():
                name = path.rpartition("/")[2]
                link = nodes.reference("", "", nodes.literal("", name), internal=True, refid=f"{name}-L1")
                files += nodes.list_item("", nodes.paragraph("", "", link, nodes.Text(f" {count(len(lines), 'line')}")))
            result += files
        return result

    def link(self, path, text=None):
        literal = nodes.literal("", text or path.removeprefix("common/"))
        page = sources.page_of(path)
        return cards.page_link(page, literal) if page in self.env.found_docs else literal

    def file(self, path, texts):
        name = path.rpartition("/")[2]
        lines = list(enumerate(texts[path], 1))
        block = regions.shown_code(path, lines, news.new_lines(path), anchored=True)
        block["includes"] = {each: sources.page_of(each) for each in
                             (*texts, *(f"common/{found}" for line in texts[path] for found in
                                        re.findall(r'"common/([\w./]+)"', line)))}
        self.set_source_info(block)
        if len(texts) == 1:
            return [block]
        section = nodes.section("", nodes.title("", "", nodes.literal("", name)), block, ids=[nodes.make_id(name)], names=[name])
        return [section]


def link_includes(app, doctree, docname):
    """The names of headers in a whole program lead to the whole header."""
    for block in doctree.findall(regions.code_block):
        links = {}
        for path, page in block.get("includes", {}).items():
            name = path.rpartition("/")[2]
            if page == docname:
                links[path] = f"#{name}-L1"
            elif page in app.env.found_docs:
                links[path] = app.builder.get_relative_uri(docname, page) + f"#{name}-L1"
        block["links"] = links


class Programs(SphinxDirective):
    """.. programs:: all pages of this kind, in their order"""

    def run(self):
        pages = sources.program_pages()
        self.env.note_dependency(str(sources.ROOT / "chapters/ladder.csv"))
        ladder = [sources.page_of(f"chapters/{folder}/main.cpp") for folder in sources.folders().values()]
        groups = {"The chapters": [page for page in ladder if page in pages],
                  "In one file": list(one_file.pages()),
                  "After the finale": [page for page in pages if page.startswith("programs/encores/")],
                  "common/": [page for page in pages if page.startswith("programs/common/")],
                  "Wrong programs, and what else is shown": [page for page in pages if page.startswith("programs/tests/")]}
        result, shown = [], []
        for title, listed_pages in groups.items():
            listed_pages = [page for page in listed_pages if page in self.env.found_docs]
            if not listed_pages:
                continue
            section = nodes.section(ids=[nodes.make_id(title)], names=[title])
            section += nodes.title("", title)
            items = nodes.bullet_list(classes=["cards"])
            for page in listed_pages:
                name = page.removeprefix("programs/").removeprefix("common/").removeprefix(f"{sources.WRONG_PROGRAMS}/")
                link = cards.page_link(page, nodes.literal("", name.removeprefix("encores/").removeprefix("single/")))
                items += nodes.list_item("", nodes.paragraph("", "", link))
            section += items
            result.append(section)
            shown += listed_pages
        return [*result, contents.tree(self.env, shown, None)]


def add_link_to_program(app, doctree):
    """The head of a chapter's page."""
    docname = app.env.docname
    page = "programs/" + docname.removeprefix("chapters/")
    titles = list(doctree.findall(nodes.title))
    if not docname.startswith(("chapters/", "encores/")) or page not in app.env.found_docs or not titles:
        return
    files = sources.program_pages()[page]
    for path in files:
        app.env.note_dependency(str(sources.ROOT / path))
    lines = sum(len((sources.ROOT / path).read_text(encoding="utf-8").splitlines()) for path in files)
    link = cards.page_link(page, nodes.inline("", "The whole program"))
    line = nodes.paragraph("", "", link, nodes.Text(f": {count(len(files), 'file')}, {count(lines, 'line')}"),
                           classes=["to-program"])
    in_one = "programs/single/" + docname.removeprefix("chapters/")
    if in_one in one_file.pages():
        line += [nodes.Text("; "), cards.page_link(in_one, nodes.inline("", "in one file"))]
    titles[0].parent.insert(titles[0].parent.index(titles[0]) + 1, line)


def setup(app):
    app.add_directive("whole-program", Program)
    app.add_directive("programs", Programs)
    app.connect("builder-inited", write_pages)
    app.connect("doctree-read", add_link_to_program)
    app.connect("doctree-resolved", link_includes)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
