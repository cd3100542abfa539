"""region: a named part of a compiled file. changes: what became of named regions from one chapter to the next."""

import difflib
import html
import re

from docutils import nodes
from docutils.parsers.rst import directives
from pygments.lexers import CppLexer
from pygments.token import STANDARD_TYPES
from sphinx.directives.code import container_wrapper
from sphinx.util.docutils import SphinxDirective

import sources


class Region(SphinxDirective):
    """.. region:: chapters/07_completion_port/main.cpp worker"""

    required_arguments = 2
    option_spec = {"name": directives.unchanged, "class": directives.class_option}

    def run(self):
        path, name = self.arguments
        self.env.note_dependency(str(sources.ROOT / path))
        try:
            text = sources.region(path, name)
        except sources.Mistake as mistake:
            raise self.error(f"region: {mistake}")
        block = nodes.literal_block(text, text, language="cpp", classes=["region"])
        self.set_source_info(block)
        wrapper = container_wrapper(self, block, f"``{path}``, region ``{name}``")
        wrapper["classes"].append("region-wrapper")
        self.add_name(wrapper)
        return [wrapper]


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
    app.add_node(changes_block, html=(visit_html, None), text=(visit_text, None))
    app.add_directive("region", Region)
    app.add_directive("changes", Changes)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
