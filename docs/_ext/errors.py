"""errors: docs/errors.csv as a table, each code with the system's text as tests/docs/error_texts has recorded it, and with
links to the cards that name it, and to what its column `see` names: rules, chapters, wrong programs, encores, cards. And the
checks that each row has such a place, and that each code which a page gives by its number stands in the table."""

import csv
import re
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import nested_parse_with_titles

import cards
import sources

log = logging.getLogger(__name__)

CODES, TEXTS, BEYOND = "docs/errors.csv", "docs/recorded/errors.txt", "docs/beyond/calls.rst"
NAME = r"(?P<name>(?:WSA|ERROR_|WAIT_)[A-Z0-9_]+)"
# The forms in which a page gives a code with its name.
NAMED = [re.compile(rf"\b{NAME}(?:``)?\s+\((?P<code>\d+)\)"), re.compile(rf"\b(?P<code>\d+)\s+\((?:``)?{NAME}")]
# And by its number alone: the numbers of Winsock have no other meaning; of the others these forms are looked at.
WINSOCK = r"(?P<code>10(?:00[4-9]|0[1-9]\d|10\d|11[0-2])|110(?:0[1-9]|[12]\d|3[01]))"
BARE = [re.compile(rf"(?<![\w/.,:#=-]){WINSOCK}(?![\w/:=-]|[.,]\d)"),
        re.compile(r"\b(?:fail\w*|end\w*|comes?(?:\s+back)?|packets?|answers?|refused)\s+with\s+(?:``)?(?P<code>\d{2,4})\b(?!\s+\w+s\b|[.,]\d)"),
        re.compile(r"\b[Cc]odes?\s+(?P<code>\d{2,4})\b(?![.,]\d)"),
        re.compile(r"\b(?P<code>\d{2,4})\s+(?:in\s+the\s+packet|from\s+the\s+port)\b")]
# What a word of the column `see` becomes.
SEE = {"rule": ":rule:`{0}`", "chapter": ":ref:`chapter {0} <chapter{0}>`", "break": ":pitfall:`{0}`",
       "encore": "the encore :doc:`{0} </encores/{0}>`", "call": ":call:`{0}`"}
QUIET = re.compile(r"`[^`<]*<[^>]*>`__?|https?://\S+")


def table(root=sources.ROOT):
    with open(root / CODES, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def other_names(row):
    """A second name of the same number, which stands in the last column."""
    return [match["name"] for match in re.finditer(rf"{NAME} is the same number", row["do"])]


def card_names():
    return sorted((path.stem for path in (sources.ROOT / "docs/calls").glob("*.rst") if path.stem != "index"), key=len, reverse=True)


def beyond_names():
    """What the page on the calls without a card has in the index."""
    text = (sources.ROOT / BEYOND).read_text(encoding="utf-8")
    return {name for line in re.findall(r"^\.\. index:: (.*)$", text, re.MULTILINE) for name in line.split(", ")}


def linked(text, names, beyond, small):
    """The text with each name of a card as a link; names in small letters, which are words as well, only where asked for."""
    known = sorted((name for name in {*names, *beyond} if small or not name.islower()), key=len, reverse=True)
    pattern = "|".join(map(re.escape, known))

    def link(match):
        return f":ref:`{match[0]} <beyond-calls>`" if match[0] in beyond else f":call:`{match[0]}`"

    parts = re.split(r"(``.*?``)", text)
    return "".join(part if part.startswith("``") else re.sub(rf"(?<![\w`])({pattern})(?!\w|\(| calls?\b)", link, part)
                   for part in parts)


def naming_cards(names):
    """From a code to the cards that give it with its name."""
    found = {}
    for name in names:
        text = (sources.ROOT / f"docs/calls/{name}.rst").read_text(encoding="utf-8")
        for pattern in NAMED:
            for match in pattern.finditer(text):
                found.setdefault(match["code"], set()).add(name)
    return found


class Errors(SphinxDirective):
    """.. errors::"""

    def run(self):
        for path in (CODES, TEXTS, BEYOND):
            self.env.note_dependency(str(sources.ROOT / path))
        texts = {}
        for line in (sources.ROOT / TEXTS).read_text(encoding="utf-8").splitlines():
            code, _, text = line.partition(" ")
            texts[code] = text
        rows = table()
        seen = set()
        for row in rows:
            if row["code"] not in texts:
                raise self.error(f"errors: {TEXTS} has no text for {row['code']}; tests/docs/record_errors writes it")
            if row["code"] in seen:
                raise self.error(f"errors: {CODES} has {row['code']} twice")
            seen.add(row["code"])
        names, beyond = card_names(), beyond_names() - set(card_names())
        for name in names:
            self.env.note_dependency(str(sources.ROOT / f"docs/calls/{name}.rst"))
        naming = naming_cards(names)
        lines = ["By number", "~" * 9, ""] + self.table(["Code", "What it means, and where we meet it", "What to do"],
                                                        [27, 45, 28], [self.cells(row, texts, names, beyond, naming) for row in rows])
        by_name = sorted((name, row["code"]) for row in rows for name in [row["name"], *other_names(row)])
        lines += ["", "By name", "~" * 7, ""] + self.table(["Name", "Code"], [80, 20], [
            [f"``{name}``", f":error:`{code}`"] for name, code in by_name])
        holder = nodes.section()
        holder.document = self.state.document
        nested_parse_with_titles(self.state, StringList(lines, CODES), holder)
        return holder.children

    def cells(self, row, texts, names, beyond, naming):
        code, all_names = row["code"], [row["name"], *other_names(row)]
        # The number is an entry of its own: the search looks for such entries first.
        index = "".join(f"\n   ! single: {entry}" for entry in [*all_names, f"{code}; {row['name']}"])
        anchors = " ".join([code, *(name.lower() for name in all_names)])
        where = linked(row["where"], names, beyond, small=True)
        meaning = [linked(row["meaning"], names, beyond, small=False), "", f"Where: {where}."]
        see = row["see"].split()
        cards = sorted((name for name in naming.get(code, ()) if f":call:`{name}`" not in where and f"call:{name}" not in see),
                       key=str.lower)
        if cards:
            meaning += ["", "Also on the cards of " + ", ".join(f":call:`{name}`" for name in cards) + "."]
        meaning += ["", "See: " + "; ".join(self.link(word) for word in see) + "."]
        return [f".. index::{index}\n\n:anchors:`{anchors}`\\ **{code}** ``{row['name']}``\n\n*{texts[code]}*",
                "\n".join(meaning), linked(row["do"], names, beyond, small=False)]

    def link(self, word):
        kind, _, what = word.partition(":")
        if kind not in SEE:
            raise self.error(f"errors: {CODES}: '{word}' is none of {', '.join(f'{known}:' for known in SEE)}")
        return SEE[kind].format(what)

    @staticmethod
    def table(titles, widths, body):
        lines = [".. list-table::", "   :header-rows: 1", "   :class: stacks", f"   :widths: {' '.join(map(str, widths))}", ""]
        for cells in [titles, *body]:
            for number, cell in enumerate(cells):
                start = "   * - " if number == 0 else "     - "
                first, *rest = cell.split("\n")
                lines += [start + first, *("       " + line if line else "" for line in rest)]
        return lines


class Codes(SphinxDirective):
    """.. codes::, every code as a link to its row"""

    def run(self):
        self.env.note_dependency(str(sources.ROOT / CODES))
        items = nodes.bullet_list(classes=["cards"])
        for row in table():
            link = cards.page_link("errors", nodes.Text(f"{row['code']} "), nodes.literal("", row["name"]))
            link["book_anchor"] = row["code"]
            items += nodes.list_item("", nodes.paragraph("", "", link))
        return [items]


def check_all(app, env):
    """Each row leads somewhere; and each code that a page gives with its number stands in the table, and under that name."""
    for row in table():
        if not row["see"]:
            log.warning("%s: the row of %s leads nowhere: its column see is empty", CODES, row["code"])
    names = {row["code"]: [row["name"], *other_names(row)] for row in table()}
    for page in sorted(env.found_docs):
        text = Path(env.doc2path(page)).read_text(encoding="utf-8")
        said = set(names)
        for match in (match for pattern in NAMED for match in pattern.finditer(text)):
            code, name = match["code"], match["name"]
            if name not in names.get(code, ()):
                log.warning("%s has no row for %s, %s", CODES, code, name, location=page)
                said.add(code)
        quiet = QUIET.sub(" ", text)
        for code in sorted({match["code"] for pattern in BARE for match in pattern.finditer(quiet)} - said, key=int):
            log.warning("%s has no row for %s", CODES, code, location=page)


def setup(app):
    app.add_directive("errors", Errors)
    app.add_directive("codes", Codes)
    app.connect("env-check-consistency", check_all)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
