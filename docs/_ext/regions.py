"""region: a named part of a compiled file, with the lines marked that are new in its chapter. changes: what became of
named regions from one chapter to the next. And the check that no region stands on two cards, nor on two other pages."""

import difflib
import html
import re
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from pygments.lexers import CppLexer
from pygments.token import STANDARD_TYPES
from sphinx.directives.code import container_wrapper
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

import news
import sources

log = logging.getLogger(__name__)


class code_block(nodes.literal_block):
    """Lines of a file: `path`, `first` (the number of the first line) or `numbers` (of each), `new` (the numbers of those
    that are new in this chapter), `anchored` (is it the whole file, with numbers and anchors)."""


def shown_code(path, lines, new, anchored=False):
    """`lines`: (number, text)."""
    text = "".join(line + "\n" for _, line in lines)
    return code_block(text, text, path=path, numbers=[number for number, _ in lines], new=sorted(new), anchored=anchored,
                      language="cpp", xml_space="preserve")


def note_what_it_shows(env, path):
    for each in (path, "chapters/ladder.csv", *news.compared_files(path)):
        env.note_dependency(str(sources.ROOT / each))


def whole_program(env, path, number):
    """The path, as a link to the line in the page that shows the whole program."""
    page, literal = sources.page_of(path), nodes.literal("", path)
    if page not in env.found_docs:
        return literal
    name = path.rpartition("/")[2]
    return nodes.reference("", "", literal, internal=True, refuri="", book_page=page, book_anchor=f"{name}-L{number}",
                           reftitle=f"the whole program, at line {number}")


def captioned(env, path, lines, new, *said):
    """A piece of code under a caption that names its file and links to it."""
    wrapper = nodes.container("", literal_block=True, classes=["literal-block-wrapper", "region-wrapper"])
    wrapper += nodes.caption("", "", whole_program(env, path, lines[0][0]), *said)
    wrapper += shown_code(path, lines, new)
    return wrapper


class Region(SphinxDirective):
    """.. region:: chapters/07_completion_port/main.cpp worker, with :plain: to mark no line as new"""

    required_arguments = 2
    option_spec = {"name": directives.unchanged, "plain": directives.flag}

    def run(self):
        path, name = self.arguments
        note_what_it_shows(self.env, path)
        try:
            lines = sources.numbered_region(path, name)
        except sources.Mistake as mistake:
            raise self.error(f"region: {mistake}")
        if not lines:
            raise self.error(f"region: {path}: [{name}] is empty")
        new = set() if "plain" in self.options else news.new_lines(path)
        wrapper = captioned(self.env, path, lines, new, nodes.Text(", region "), nodes.literal("", name))
        self.set_source_info(wrapper)
        self.set_source_info(wrapper[-1])
        self.add_name(wrapper)
        return [wrapper]


class RegionLink(SphinxRole):
    """:region:`chapters/07_completion_port/main.cpp worker`: a link to the region in the whole program"""

    def run(self):
        path, _, name = self.text.partition(" ")
        note_what_it_shows(self.env, path)
        try:
            lines = sources.numbered_region(path, name)
        except sources.Mistake as mistake:
            message = self.inliner.reporter.error(f"region: {mistake}", line=self.lineno)
            return [self.inliner.problematic(self.rawtext, self.rawtext, message)], [message]
        return [nodes.Text("region "), nodes.literal("", name), nodes.Text(" of "), whole_program(self.env, path, lines[0][0])], []


SHOWN = re.compile(r"^[ ]*\.\. region:: (\S+ \S+)", re.MULTILINE)


def check_all(app, env):
    """A region stands on one page, that of its chapter mostly, and on one card besides: nobody reads the same code five times."""
    pages = {}
    for page in sorted(env.found_docs):
        for region in set(SHOWN.findall(Path(env.doc2path(page)).read_text(encoding="utf-8"))):
            pages.setdefault((region, page.startswith("calls/")), []).append(page)
    for (region, on_cards), found in sorted(pages.items()):
        if len(found) > 1:
            log.warning("the region %s stands on %d %s, and not on one: %s; the others link to it, by :region:`%s`", region,
                        len(found), "cards" if on_cards else "pages", ", ".join(found), region, location=found[-1])


LOCAL = re.compile(r'"([\w./]+)"')


def include_link(node, text):
    """Where the name of a header in a whole program leads: the header in full."""
    found = LOCAL.fullmatch(text)
    if not found:
        return None
    beside = f"{node['path'].rpartition('/')[0]}/{found[1]}"
    return node.get("links", {}).get(beside) or node.get("links", {}).get(found[1])


def visit_code_html(self, node):
    chapter = re.match(r"chapters/(\d\d)_", node["path"])
    title = f"new in chapter {chapter[1]}" if chapter else "new"
    new, inside, out = set(node["new"]), False, []
    name = node["path"].rpartition("/")[2]
    text = node.astext()
    for number, line, tokens in zip(node["numbers"], text.split("\n"), token_lines(text)):
        if (number in new) != inside:
            inside = not inside
            out.append(f'<ins title="{title}">' if inside else "</ins>")
        parts = []
        for kind, part in tokens:
            link = include_link(node, part) if node["anchored"] else None
            parts.append(f'<a href="{html.escape(link)}">{span(kind, part)}</a>' if link else span(kind, part))
        if node["anchored"]:
            anchor = f"{name}-L{number}"
            css = "line marker" if sources.MARKER.match(line) else "line"
            out.append(f'<span class="{css}" id="{anchor}"><a class="linenos" href="#{anchor}" data-line="{number}" '
                       f'tabindex="-1" aria-label="line {number}"></a>{"".join(parts)}\n</span>')
        else:
            out.append(f'<span class="line">{"".join(parts)}\n</span>')
    if inside:
        out.append("</ins>")
    css = " ".join(["highlight-cpp", "notranslate", "code", *(["compared"] if new else []),
                    *(["numbered"] if node["anchored"] else [])])
    self.body.append(f'<div class="{css}"><div class="highlight"><pre tabindex="0">{"".join(out)}</pre></div></div>\n')
    raise nodes.SkipNode


# --- changes ----------------------------------------------------------------------------------------------------------

class changes_block(nodes.General, nodes.Element):
    """Lines of a diff: (sign, [(token class, text, is it changed within the line)])."""


def token_lines(text):
    """The lines of a C++ text as lists of (class, text)."""
    lines = [[]]
    for kind, value in CppLexer(stripnl=False).get_tokens(text):
        while kind not in STANDARD_TYPES:
            kind = kind.parent
        parts = value.split("\n")
        for index, part in enumerate(parts):
            if index:
                lines.append([])
            if part:
                lines[-1].append((STANDARD_TYPES[kind], part))
    return lines


def words(line):
    return re.findall(r"\w+|\s+|[^\w\s]", line)


def changed_ranges(old, new):
    """Which characters of two lines that resemble each other differ: two lists of (start, end), or none."""
    a, b = words(old.strip()), words(new.strip())
    matcher = difflib.SequenceMatcher(None, a, b, autojunk=False)
    if matcher.ratio() < 0.6:
        return [], []
    ranges = [], []
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag != "equal":
            for side, line, tokens, start, end in ((0, old, a, i1, i2), (1, new, b, j1, j2)):
                offset = len(line) - len(line.lstrip())
                first = offset + len("".join(tokens[:start]))
                last = offset + len("".join(tokens[:end]))
                if first < last:
                    ranges[side].append((first, last))
    return ranges


def marked(tokens, ranges):
    """Splits tokens where a changed range begins or ends."""
    out, at = [], 0
    for kind, text in tokens:
        cuts = sorted({at, at + len(text), *(c for r in ranges for c in r if at < c < at + len(text))})
        for start, end in zip(cuts, cuts[1:]):
            inside = any(a <= start and end <= b for a, b in ranges)
            out.append((kind, text[start - at:end - at], inside))
        at += len(text)
    return out


def diff(old, new, context=3):
    """The lines of a diff; None stands where unchanged lines were left out."""
    old_lines, new_lines = old.splitlines(), new.splitlines()
    old_tokens, new_tokens = token_lines(old), token_lines(new)
    matcher = difflib.SequenceMatcher(None, old_lines, new_lines, autojunk=False)
    out, end_of_last = [], 0
    for group in matcher.get_grouped_opcodes(context):
        if group[0][1] > end_of_last:
            out.append(None)
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                out += [(" ", marked(old_tokens[i], [])) for i in range(i1, i2)]
                continue
            pairs = [changed_ranges(o, n) for o, n in zip(old_lines[i1:i2], new_lines[j1:j2])]
            pairs += [([], [])] * (max(i2 - i1, j2 - j1) - len(pairs))
            out += [("-", marked(old_tokens[i], pairs[i - i1][0])) for i in range(i1, i2)]
            out += [("+", marked(new_tokens[j], pairs[j - j1][1])) for j in range(j1, j2)]
        end_of_last = group[-1][2]
    if out and end_of_last < len(old_lines):
        out.append(None)
    return out


class Changes(SphinxDirective):
    """.. changes:: OLD-FILE NEW-FILE [REGION or OLD=>NEW]..."""

    required_arguments = 2
    optional_arguments = 20
    option_spec = {"name": directives.unchanged}

    def run(self):
        before, after, *wanted = self.arguments
        for path in (before, after):
            self.env.note_dependency(str(sources.ROOT / path))
        try:
            old, new = sources.regions(before), sources.regions(after)
            named = [tuple(w.split("=>")) if "=>" in w else (w, w) for w in wanted]
            pairs = named or [(name, name) for name in new if name in old and old[name] != new[name]]
            result = []
            for first, second in pairs:
                for path, name, there in ((before, first, old), (after, second, new)):
                    if name not in there:
                        raise sources.Mistake(f"{path} has no region [{name}]; it has {', '.join(there) or 'none'}")
                lines = diff(old[first], new[second])
                if not lines:
                    raise sources.Mistake(f"region [{first}] is the same in {before} and {after}")
                result.append(self.block(before, after, first, second, lines))
        except sources.Mistake as mistake:
            raise self.error(f"changes: {mistake}")
        if not result:
            raise self.error(f"changes: {before} and {after} have no region in common that differs")
        self.add_name(result[0])
        return result

    def block(self, before, after, first, second, lines):
        node = changes_block("", lines=lines)
        self.set_source_info(node)
        name = f"region ``{first}``" if first == second else f"``{first}`` becomes ``{second}``"
        wrapper = container_wrapper(self, node, f"``{short(before)}`` → ``{short(after)}``, {name}")
        wrapper["classes"].append("changes-wrapper")
        return wrapper


def short(path):
    return path.removeprefix("chapters/")


LABELS = {"+": "added", "-": "removed", " ": "same"}


def visit_html(self, node):
    out = []
    for line in node["lines"]:
        if line is None:
            out.append('<span class="line left-out">…\n</span>')
            continue
        sign, tokens = line
        text = "".join(
            f"<mark>{span(kind, part)}</mark>" if inside else span(kind, part) for kind, part, inside in tokens)
        out.append(f'<span class="line {LABELS[sign]}"><span class="sign">{sign}</span>{text}\n</span>')
    self.body.append('<div class="highlight-cpp no-copy changes notranslate"><div class="highlight"><pre tabindex="0">'
                     + "".join(out) + "</pre></div></div>\n")
    raise nodes.SkipNode


def span(kind, text):
    text = html.escape(text, quote=False)
    return f'<span class="{kind}">{text}</span>' if kind else text


def visit_text(self, node):
    self.new_state()
    for line in node["lines"]:
        self.add_text("...\n" if line is None else line[0] + "".join(part for _, part, _ in line[1]) + "\n")
    self.end_state(wrap=False)
    raise nodes.SkipNode


def setup(app):
    app.add_node(code_block, html=(visit_code_html, None))
    app.add_node(changes_block, html=(visit_html, None), text=(visit_text, None))
    app.add_directive("region", Region)
    app.add_directive("changes", Changes)
    app.add_role("region", RegionLink())
    app.connect("env-check-consistency", check_all)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
