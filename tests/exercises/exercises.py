"""What tests/exercises/NN.toml say. Knows nothing of Sphinx and nothing of how programs are started.

An exercise is a small difference to the program of its chapter, so that it cannot be out of date: each text that it replaces
must be in the chapter's file exactly once, or there is a Mistake.

    title = "..."           one line
    task = "..."            two to five sentences
    hint = "..."
    why = "..."             stands below the solution

    [[start]]               what the reader begins with: the chapter's file, with this text replaced. None: the chapter
    file = "main.cpp"
    old = '''...'''
    new = '''...'''

    [[solution]]            the same, if the solution is not the chapter's own program

    [[check]]
    names = ["..."]         tests that fail at the start; the first of them is what the reader is shown
    keeps = ["..."]         tests that pass at the start, and must pass at the end, too
    tests = "04_event_select"   whose tests these are, if not the chapter's own
    watched = true          under the watch, which is strict
    policy = "turns"        tests/policies/turns.cpp on the engine of the exercise, and not the exercise's own program
    tries = 5               so often the tests are run, if it is luck whether a mistake shows: each time must pass
    missing = "..."         what is missing, in words, when one of the names fails
"""

import csv
import dataclasses
import pathlib
import re
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
SOURCES = (".cpp", ".hpp")


class Mistake(Exception):
    """Something in an exercise that cannot be. The text is one line for its author."""


@dataclasses.dataclass(frozen=True)
class Change:
    file: str
    old: str
    new: str


@dataclasses.dataclass(frozen=True)
class Check:
    names: tuple
    keeps: tuple
    tests: str
    watched: bool
    policy: str
    tries: int
    missing: str

    @property
    def suffix(self):
        """What a program is called that these tests look at, after its own name."""
        return "_watched" if self.watched else f"_{self.policy}" if self.policy else ""


@dataclasses.dataclass(frozen=True)
class Exercise:
    number: str
    chapter: str  # its folder: 05_overlapped_events
    title: str
    task: str
    hint: str
    why: str
    start: tuple
    solution: tuple
    checks: tuple

    def solver(self, check):
        """The program that passes it, without .exe, when all is built: the chapter's own, if it has no other."""
        if self.solution:
            return f"exercise_{self.number}_solution{check.suffix}"
        return f"{check.policy}_{self.number}" if check.policy else self.chapter + check.suffix

    def files(self):
        """The sources of the chapter's main program, name to text. A second program of the folder is left out."""
        folder = ROOT / "chapters" / self.chapter
        build = (folder / "CMakeLists.txt").read_text(encoding="utf-8")
        first = re.search(rf"\badd_chapter\({self.chapter}\s+([\w. ]+)\)", build)
        if not first:
            raise Mistake(f"{folder}/CMakeLists.txt has no add_chapter({self.chapter} ...)")
        return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.iterdir())
                if path.suffix == ".hpp" or path.name in first[1].split()}

    def changed(self, changes):
        files = self.files()
        for change in changes:
            if change.file not in files:
                raise Mistake(f"{self.number}.toml: chapter {self.chapter} has no file {change.file}")
            found = files[change.file].count(change.old)
            if found != 1:
                first = change.old.strip().splitlines()[0]
                raise Mistake(f"{self.number}.toml: {found} times in {self.chapter}/{change.file}, and not once: {first}")
            files[change.file] = files[change.file].replace(change.old, change.new)
        return files

    def started(self):
        """The reader's program at the start: name to text."""
        return self.changed(self.start)

    def solved(self):
        return self.changed(self.solution)


def numbers():
    return sorted(path.stem for path in HERE.glob("[0-9][0-9].toml"))


def chapters():
    """Number to folder."""
    with open(ROOT / "chapters/ladder.csv", encoding="utf-8", newline="") as file:
        return {row["number"]: f"{row['number']}_{row['name']}" for row in csv.DictReader(file)}


def path_of(number):
    return HERE / f"{number}.toml"


KEYS = {"title", "task", "hint", "why", "start", "solution", "check"}


def read(number):
    path = path_of(number)
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Mistake(f"there is no exercise {number}") from None
    except tomllib.TOMLDecodeError as problem:
        raise Mistake(f"{number}.toml: {problem}") from None
    if unknown := sorted(said.keys() - KEYS):
        raise Mistake(f"{number}.toml: there is no key {unknown[0]}")
    if missing := sorted({"title", "task", "hint", "why", "check"} - said.keys()):
        raise Mistake(f"{number}.toml: {missing[0]} is missing")
    chapter = chapters()[number]
    try:
        checks = tuple(Check(tuple(each["names"]), tuple(each.get("keeps", ())), each.get("tests", chapter),
                             each.get("watched", False), each.get("policy", ""), each.get("tries", 1),
                             each["missing"].strip()) for each in said["check"])
        start, solution = (tuple(Change(**each) for each in said.get(which, ())) for which in ("start", "solution"))
    except (KeyError, TypeError) as problem:
        raise Mistake(f"{number}.toml: {problem}") from None
    if not start and not solution:
        raise Mistake(f"{number}.toml: the start and the solution are the same")
    return Exercise(number, chapter, said["title"].strip(), said["task"].strip(), said["hint"].strip(), said["why"].strip(),
                    start, solution, checks)


def plain(text):
    """The text without its mark-up, for a terminal."""
    text = re.sub(r":\w+:`([^`<]+?)(?: <[^`>]*>)?`", r"\1", text)
    return text.replace("``", "").replace("*", "")
