"""Which lines of a chapter's file the chapter before does not have. Knows nothing of Sphinx.

A line of code is new when its text, without comment and indentation, stands in no file of the chapter before. What says
nothing by itself follows its neighbours: a brace the line that it belongs to, `return;` or an empty line what stands
around it, a comment the code beside it if its text is new.
"""

import re
from functools import lru_cache

import sources

NAME = re.compile(r"\d\d_[a-z_]+")  # of a chapter
CLOSES = re.compile(r"[})\];,\s]+")
KEYWORDS = set("break case catch continue default do else false for if nullptr private protected public return switch true "
               "try void while const noexcept override struct".split())
# Of a chapter that has next to nothing of the one before it, marks would say nothing.
NEARLY_ALL = 0.95


def key(line):
    return NAME.sub("NN", " ".join(line.split()))


def is_weak(text):
    """Does the line say nothing by itself?"""
    words = re.findall(r"[A-Za-z_]\w*", text)
    return not text or (not text.startswith("#") and sum(word not in KEYWORDS for word in words) == 0)


def comment_of(line):
    return line.strip().removeprefix("//").lstrip("/").strip()


def code_lines(text):
    """The lines of a C++ text without their comments; as many as the text has."""
    return sources.TOKEN.sub(lambda t: "\n" * t[0].count("\n") if t[0].startswith(("//", "/*")) else t[0],
                             text).split("\n")


def without_strings(line):
    return re.sub(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])\'', "", line)


def openers(lines):
    """For each line, the line in which the first bracket that it closes was opened, or none."""
    found, opened = [None] * len(lines), []
    for number, line in enumerate(lines):
        for letter in without_strings(line):
            if letter in "{([":
                opened.append(number)
            elif letter in "})]" and opened:
                last = opened.pop()
                if found[number] is None:
                    found[number] = last
    return found


def enclosing(lines):
    """For each line, the line that opened the innermost bracket around its beginning, or none."""
    found, opened = [], []
    for number, line in enumerate(lines):
        found.append(opened[-1] if opened else None)
        for letter in without_strings(line):
            if letter in "{([":
                opened.append(number)
            elif letter in "})]" and opened:
                opened.pop()
    return found


@lru_cache(maxsize=None)
def texts_of(folder, root):
    """The code and the comments of a chapter."""
    code, comments = set(), set()
    for path in (root / folder).glob("*.[ch]pp"):
        text = path.read_text(encoding="utf-8")
        code |= {key(line) for line in code_lines(text)}
        comments |= {comment_of(line) for line in text.splitlines() if line.strip().startswith("//")}
    return code, comments


def compare(text, code, comments):
    """The numbers of the lines of a text that are new against what was there."""
    raw, lines = text.split("\n"), [key(line) for line in code_lines(text)]
    opened = openers(lines)
    new = [bool(line) and not is_weak(line) and line not in code for line in lines]
    said = [bool(line) and not is_weak(line) for line in lines]

    # What says nothing: a bracket is as the line that opened it, the rest as what stands before and after it.
    undecided = []
    for number, line in enumerate(lines):
        if said[number] or not line:
            continue
        if CLOSES.fullmatch(line) and opened[number] is not None and opened[number] != number:
            new[number] = new[opened[number]]
            said[number] = True
        else:
            undecided.append(number)
    for number in undecided:
        before = next((n for n in range(number - 1, -1, -1) if said[n]), None)
        after = next((n for n in range(number + 1, len(lines)) if said[n]), None)
        new[number] = before is not None and after is not None and new[before] and new[after]
    for number in undecided:
        said[number] = True

    # Comments belong to the code below them; a comment at the end of a block to what is above.
    number = 0
    while number < len(lines):
        if not raw[number].strip().startswith("//") or sources.MARKER.match(raw[number]):
            number += 1
            continue
        end = number
        while end < len(lines) and (raw[end].strip().startswith("//") and not sources.MARKER.match(raw[end])):
            end += 1
        above = next((n for n in range(number - 1, -1, -1) if said[n]), None)
        below = next((n for n in range(end, len(lines)) if said[n]), None)
        beside = below is not None and new[below] or above is not None and new[above] and not raw[number - 1].strip() == ""
        for line in range(number, end):
            new[line] = beside and bool(comment_of(raw[line])) and comment_of(raw[line]) not in comments
        for line in range(number + 1, end - 1):
            if not comment_of(raw[line]):
                new[line] = new[line - 1] and new[line + 1]
        number = end

    # A line or two within a new block that stood elsewhere before, as `DWORD flags = 0;`; and empty lines between two new ones.
    shown = [n for n, line in enumerate(raw) if line.strip() and not sources.MARKER.match(line)]
    around = enclosing(lines)
    for gap in (1, 2):
        for first, last in zip(shown, shown[gap + 1:]):
            between = [n for n in shown if first < n < last]
            if new[first] and new[last] and all(around[n] is not None and new[around[n]] for n in between):
                for n in between:
                    new[n] = True
    for first, last in zip(shown, shown[1:]):
        for n in range(first + 1, last):
            new[n] = not raw[n].strip() and new[first] and new[last]
    return {number for number, is_new in enumerate(new, 1) if is_new}


@lru_cache(maxsize=None)
def share(folder, before, root=sources.ROOT):
    """How much of a chapter's code is new, from 0 to 1."""
    code, _ = texts_of(before, root)
    lines = [line for path in (root / folder).glob("*.[ch]pp") for line in map(key, code_lines(path.read_text(encoding="utf-8")))
             if not is_weak(line) and not line.startswith("#")]
    return sum(line not in code for line in lines) / max(1, len(lines))


def new_lines(path, root=sources.ROOT):
    """The numbers of the new lines of a file of chapters/: none for other files, for the first chapter, and for one that
    is new as a whole."""
    before = sources.chapter_before(path, root)
    if not before or share("/".join(path.split("/")[:2]), before, root) > NEARLY_ALL:
        return set()
    return compare((root / path).read_text(encoding="utf-8"), *texts_of(before, root))


def compared_files(path, root=sources.ROOT):
    """What the marks of a file depend on."""
    before = sources.chapter_before(path, root)
    return sorted((root / before).glob("*.[ch]pp")) if before else []
