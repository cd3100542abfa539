"""test: names a test and links to it. checks: the list of all of them, by chapter."""

import hashlib

from docutils import nodes
from sphinx.util.docutils import SphinxDirective, SphinxRole

import sources


def anchor(group, name):
    return "check-" + hashlib.sha256(f"{group}: {name}".encode()).hexdigest()[:10]


def all_checks(env):
    """The checks, read once in a build."""
    if not hasattr(env.app, "book_checks"):
        env.app.book_checks = sources.checks()
    for path in sources.check_files():
        env.note_dependency(str(path))
    return env.app.book_checks


class Test(SphinxRole):
    """:test:`07: the name of a case`"""

    def run(self):
        group, colon, name = self.text.partition(": ")
        try:
            known = all_checks(self.env)
        except sources.Mistake as mistake:
            return self.wrong(str(mistake))
        if not colon or group not in known:
            return self.wrong(f"{self.text!r} does not begin with a chapter or an encore, as in '07: ', or with 'common: ', 'policies: ', "
                              "'probe: ', 'matrix: ', 'watch: ' or 'haproxy: '")
        if name not in {listed for listed, _, _ in known[group]}:
            nearest = [f"{g}: {name}" for g in known for listed, _, _ in known[g] if listed == name]
            hint = f"; there is '{nearest[0]}'" if nearest else ""
            return self.wrong(f"there is no test '{self.text}'{hint}")
        # Made by hand: an anchor in a page that is generated.
        link = nodes.reference(self.rawtext, name, internal=True, refuri="", classes=["check"])
        link["book_check"] = anchor(group, name)
        return [link], []

    def wrong(self, text):
        message = self.inliner.reporter.error(f"test: {text}", line=self.lineno)
        return [self.inliner.problematic(self.rawtext, self.rawtext, message)], [message]


def resolve(app, doctree, docname):
    for link in doctree.findall(nodes.reference):
        if "book_check" in link:
            link["refuri"] = app.builder.get_relative_uri(docname, "checks") + "#" + link["book_check"]


class Checks(SphinxDirective):
    """.. checks:: all of them, a section for each chapter"""

    def run(self):
        try:
            known = all_checks(self.env)
        except sources.Mistake as mistake:
            raise self.error(f"checks: {mistake}")
        titles = {row["number"]: f"Chapter {row['number']}: {row['name']}" for row in sources.ladder()}
        titles.update((row["name"], f"Encore: {row['name']}") for row in sources.encores())
        titles.update(common="The helpers in common/", policies="Another policy on the engine of 10 to 12", probe="Windows and Wine", matrix="The matrix",
                      watch="The watch",
                      haproxy="Several servers behind one address")
        result = []
        for group, listed in known.items():
            section = nodes.section(ids=[f"checks-{group}"], names=[f"checks-{group}"])
            section += nodes.title("", titles[group])
            items = nodes.bullet_list()
            for name, path, long in listed:
                paragraph = nodes.paragraph("", "", nodes.Text(name + " "), nodes.literal("", path, classes=["where"]))
                if long:
                    paragraph += [nodes.Text(" "), nodes.emphasis("", "with --all")]
                item = nodes.list_item("", paragraph, ids=[anchor(group, name)])
                items += item
            section += items
            result.append(section)
        return result


class HasWords(SphinxDirective):
    """.. has-words:: what a server of a reader's own may declare with --has: tests/has.csv"""

    def run(self):
        path = sources.ROOT / "tests/has.csv"
        self.env.note_dependency(str(path))
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        table = nodes.tgroup("", *(nodes.colspec(colwidth=width) for width in (25, 75)), cols=2)
        for number, (word, _, what) in enumerate(line.partition(",") for line in lines):
            word = [nodes.Text(word) if number == 0 else nodes.literal("", word)]
            parts = [nodes.literal("", part) if odd % 2 else nodes.Text(part) for odd, part in enumerate(what.split("`"))]
            row = nodes.row("", *(nodes.entry("", nodes.paragraph("", "", *cell)) for cell in (word, parts)))
            table += nodes.thead("", row) if number == 0 else nodes.tbody("", row) if number == 1 else []
            if number > 1:
                table[-1] += row
        return [nodes.table("", table)]


def setup(app):
    app.add_role("test", Test())
    app.add_directive("has-words", HasWords)
    app.add_directive("checks", Checks)
    app.connect("doctree-resolved", resolve)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
