"""What the book reads from the sources: regions, checks, Win32 names, the ladder. Knows nothing of Sphinx."""

import csv
import operator
import re
import textwrap
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Mistake(Exception):
    """Something that a page asks for is not in the sources. The text is one line for the author."""


# --- chapters ---------------------------------------------------------------------------------------------------------

def ladder(root=ROOT):
    """The rows of chapters/ladder.csv: number, name, short route, idea."""
    with open(root / "chapters/ladder.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def folders(root=ROOT):
    """From the number of a chapter to its folder: "07" to "07_completion_port"."""
    return {row["number"]: f"{row['number']}_{row['name']}" for row in ladder(root)}


def encores(root=ROOT):
    """The rows of encores/encores.csv: name, listens, idea."""
    with open(root / "encores/encores.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# --- regions ----------------------------------------------------------------------------------------------------------

MARKER = re.compile(r"^\s*// \[(?P<end>/?)(?P<name>[a-z][A-Za-z0-9_]*)\]\s*$")


def region_lines(path, root=ROOT):
    """All named regions of a file, in order: name to its lines, (number in the file, text), dedented, without the marker
    lines of inner regions."""
    try:
        lines = (root / path).read_text(encoding="utf-8").splitlines()
    except OSError:
        raise Mistake(f"there is no file {path}") from None
    found, opened = {}, []
    for number, line in enumerate(lines, 1):
        marker = MARKER.match(line)
        if not marker:
            for name in opened:
                found[name].append((number, line))
        elif not marker["end"]:
            if marker["name"] in found:
                raise Mistake(f"{path}:{number}: a second region [{marker['name']}]")
            found[marker["name"]] = []
            opened.append(marker["name"])
        elif opened and opened[-1] == marker["name"]:
            opened.pop()
        else:
            raise Mistake(f"{path}:{number}: [/{marker['name']}] ends no region that is open here")
    if opened:
        raise Mistake(f"{path}: region [{opened[-1]}] has no end")
    return {name: trimmed(lines) for name, lines in found.items()}


def trimmed(lines):
    """Numbered lines, dedented, without empty ones at both ends."""
    while lines and not lines[-1][1].strip():
        lines = lines[:-1]
    while lines and not lines[0][1].strip():
        lines = lines[1:]
    texts = textwrap.dedent("\n".join(text for _, text in lines)).split("\n")
    return [(number, text) for (number, _), text in zip(lines, texts)]


def regions(path, root=ROOT):
    """All named regions of a file, in order: name to text."""
    return {name: "".join(text + "\n" for _, text in lines) for name, lines in region_lines(path, root).items()}


def numbered_region(path, name, root=ROOT):
    found = region_lines(path, root)
    if name not in found:
        raise Mistake(f"{path} has no region [{name}]; it has {', '.join(found) or 'none'}")
    return found[name]


def region(path, name, root=ROOT):
    return "".join(text + "\n" for _, text in numbered_region(path, name, root))


# --- whole programs ---------------------------------------------------------------------------------------------------

LOCAL_INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
SHOWN = re.compile(r"^\s*\.\. region::\s+(\S+)\s", re.M)
WRONG_PROGRAMS = "tests/watch/programs"


def reading_order(folder, root=ROOT):
    """The sources of a program: those that its CMakeLists.txt names, each followed by what it includes of its folder;
    main.cpp first. Then what is left."""
    here = root / folder
    there = sorted(path.name for path in here.glob("*.[ch]pp"))
    build = here / "CMakeLists.txt"
    named = re.findall(r"\b[\w.]+\.[ch]pp\b", build.read_text(encoding="utf-8")) if build.exists() else []
    order = []

    def add(names):
        names = [name for name in dict.fromkeys(names) if name in there and name not in order]
        order.extend(names)
        for name in names:
            add(LOCAL_INCLUDE.findall((here / name).read_text(encoding="utf-8")))

    add(["main.cpp"])
    for name in named:
        add([name])
    add(there)
    return [f"{folder}/{name}" for name in order]


def page_of(path):
    """The page (its name, without an extension) that shows a source file as a whole."""
    parts = Path(path).parts
    if parts[0] == "chapters":
        return f"programs/{parts[1]}"
    if parts[0] == "encores":
        return f"programs/encores/{parts[1]}"
    return f"programs/{Path(path).with_suffix('').as_posix()}"


def program_pages(root=ROOT):
    """The pages that show whole programs and whole headers: their names to their files, in reading order. All chapters,
    encores, files of common/ and wrong programs have one, and so has what else a page shows a region of."""
    found = {}
    for group in ("chapters", "encores"):
        for folder in sorted((root / group).glob("*/")) if (root / group).exists() else []:
            files = reading_order(f"{group}/{folder.name}", root)
            if files:
                found[page_of(files[0])] = files
    others = {path.relative_to(root).as_posix() for pattern in ("common/*.[ch]pp", f"{WRONG_PROGRAMS}/*.[ch]pp")
              for path in root.glob(pattern)}
    for page in root.glob("docs/**/*.rst"):
        others |= {path for path in SHOWN.findall(page.read_text(encoding="utf-8")) if (root / path).is_file()}
    for path in sorted(others):
        if page_of(path) not in found:
            base = Path(path).with_suffix("")
            found[page_of(path)] = [f"{base.as_posix()}{end}" for end in (".hpp", ".cpp") if (root / f"{base}{end}").exists()]
    return found


def chapter_before(path, root=ROOT):
    """The folder of the chapter before that of a file of chapters/, or none."""
    parts = Path(path).parts
    known = [f"chapters/{folder}" for folder in folders(root).values()]
    here = "/".join(parts[:2])
    return known[known.index(here) - 1] if here in known[1:] else None


# --- C++ --------------------------------------------------------------------------------------------------------------

TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|R"(?P<d>[^(\s]*)\(.*?\)(?P=d)"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'', re.S)


def without_comments(text):
    return TOKEN.sub(lambda t: " " if t[0].startswith(("//", "/*")) else t[0], text)


@lru_cache(maxsize=None)
def code(path):
    return without_comments(path.read_text(encoding="utf-8"))


def string_value(literals):
    """The value of adjacent C++ string literals, as in the name of a test."""
    parts = re.findall(r'"((?:\\.|[^"\\])*)"', literals)
    return re.sub(r"\\(.)", r"\1", "".join(parts))


# --- checks: the doctest cases ----------------------------------------------------------------------------------------

CASE = re.compile(
    r"\bTEST_SUITE_BEGIN\(\s*(?P<begin>\"[^\"]*\")\s*\)"
    r"|\b(?P<end>TEST_SUITE_END)\("
    r"|\bTEST_CASE\(\s*(?P<name>\"(?:\\.|[^\"\\])*\"(?:\s*\"(?:\\.|[^\"\\])*\")*)"
    r"(?:\s*\*\s*doctest::skip\((?P<skip>(?:[^()]|\([^()]*\))*)\))?"
    r"(?:\s*\*\s*needs\w*\((?:\"[^\"]*\")?\))?\s*\)")


def cases(path):
    """The cases of one file: (name, suite, condition under which it is skipped)."""
    suite, found = "", []
    for match in CASE.finditer(code(path)):
        if match["begin"]:
            suite = string_value(match["begin"])
        elif match["end"]:
            suite = ""
        else:
            found.append((string_value(match["name"]), suite, (match["skip"] or "").strip()))
    written = len(re.findall(r"\bTEST_CASE\w*\(", code(path)))
    if written != len(found):
        raise Mistake(f"{path}: {written} cases are written and {len(found)} understood")
    return found


def python_cases(path):
    """The cases of a test in Python, whose names are sentences, too."""
    return [name.replace("_", " ") for name in re.findall(r"(?m)^    def test_(\w+)\(self\):$", path.read_text(encoding="utf-8"))]


def chapter_info(path, root=ROOT):
    """What a chapter's tests say about it: the fields of chapter_info, defaults included."""
    header = code(root / "tests/support/chapter.hpp")
    fields = dict(re.findall(r"\b(?:bool|std::size_t|int)\s+(\w+)\s*=\s*(\w+);", header))
    given = re.search(r"\bchapter\{(.*?)\};", code(path), re.S)
    if not given:
        raise Mistake(f"{path} does not say which chapter it is about")
    fields.update(re.findall(r"\.(\w+)\s*=\s*(\w+)", given[1]))
    return {name: {"true": 1, "false": 0}.get(value) if not value.isdigit() else int(value)
            for name, value in fields.items()}


COMPARISONS = {"==": operator.eq, "!=": operator.ne, "<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge}


def is_skipped(condition, info):
    if not condition:
        return False
    for word, joined in (("||", any), ("&&", all)):
        if word in condition:
            return joined([is_skipped(part.strip(), info) for part in condition.split(word)])
    match = re.fullmatch(r"(?P<not>!?)chapter\.(?P<field>\w+)(?:\s*(?P<op>[=!]=|[<>]=?)\s*(?P<number>\d+))?", condition)
    if not match or match["field"] not in info or (match["not"] and match["op"]):
        raise Mistake(f"a case is skipped on a condition that the book cannot read: {condition}")
    value = info[match["field"]]
    if match["op"]:
        return COMPARISONS[match["op"]](value, int(match["number"]))
    return bool(value) != bool(match["not"])


def check_files(root=ROOT):
    """All files with cases; the book depends on them."""
    return sorted([*root.glob("tests/chapters/*.cpp"), *root.glob("tests/common/*.cpp"), *root.glob("tests/policies/*.cpp"), *root.glob("tests/encores/*/*.cpp"), *root.glob("tests/probe/*.cpp"), *root.glob("tests/matrix/*.cpp"),
                   *root.glob("tests/watch/**/*.cpp"), *root.glob("tests/support/*.cpp"),
                   *root.glob("tests/haproxy/*.py"), root / "tests/support/chapter.hpp"])


def checks(root=ROOT):
    """All checks: "07" (or an encore, "common", "policies", "probe", "matrix", "watch", "haproxy") to a list of (name, file, is it
    long), in the order of the sources."""
    shared = [(path, cases(path)) for path in sorted(root.glob("tests/support/*.cpp"))]
    found = {}
    for number, folder in folders(root).items():
        own = root / f"tests/chapters/{folder}.cpp"
        if not own.exists():
            continue
        info = chapter_info(own, root)
        found[number] = [(name, str(path.relative_to(root)), suite == "long")
                         for path, listed in [(own, cases(own)), *(shared if number != "00" else [])]
                         for name, suite, skip in listed if not is_skipped(skip, info)]
    for group, folder in [*((row["name"], f"encores/{row['name']}") for row in encores(root)),
                          *((name, name) for name in ("common", "policies", "probe", "matrix", "watch"))]:
        found[group] = [(name, str(path.relative_to(root)), suite == "long")
                        for path in sorted(root.glob(f"tests/{folder}/**/*.cpp")) for name, suite, _ in cases(path)]
    found["haproxy"] = [(name, str(path.relative_to(root)), True)
                        for path in sorted(root.glob("tests/haproxy/*.py")) for name in python_cases(path)]
    return found


# --- Win32 names ------------------------------------------------------------------------------------------------------

CALL = re.compile(r"(?<![\w>:])::(?!operator\b)([A-Za-z_]\w*)\s*\(")
# But for the names of what SIO_TCP_INITIAL_RTO is given, which its card explains.
OPTION = re.compile(r"\b(?:SO_[A-Z_]+|TCP_(?!INITIAL_RTO_)[A-Z_]+|IPV6_[A-Z0-9_]+|SIO_[A-Z_]+|FIONBIO)\b")
# Handed out by the system at run time; in the code only their types have names.
POINTERS = {"LPFN_ACCEPTEX": "AcceptEx", "LPFN_GETACCEPTEXSOCKADDRS": "GetAcceptExSockaddrs",
            "LPFN_CONNECTEX": "ConnectEx", "LPFN_DISCONNECTEX": "DisconnectEx", "LPFN_TRANSMITFILE": "TransmitFile"}


def program_files(root=ROOT):
    """The files whose calls have cards. The watch, which a reader need not understand, lists its own (watch.py), and what
    stands in for a file in a program of one file calls nothing else."""
    return sorted(path for folder in ("chapters", "encores", "common") for path in (root / folder).rglob("*")
                  if path.suffix in (".cpp", ".hpp")
                  and not {root / "common/watch", root / "common/single"} & set(path.parents))


def used_names(root=ROOT):
    """Each Win32 function, option and control code that chapters/, encores/ and common/ use: name to a file that uses it."""
    found = {}
    for path in program_files(root):
        text = code(path)
        for name in [*CALL.findall(text), *OPTION.findall(text), *(POINTERS[p] for p in POINTERS if p in text)]:
            found.setdefault(name, str(path.relative_to(root)))
    return found


def uses(path, name):
    """Does the code (not the comments) of a file name this function, option, control code or structure?
    A function in small letters shares its name with much else: there only ::name( counts."""
    text = code(path)
    if name.islower() or "_" not in name and name[0].islower():
        return re.search(rf"(?<![\w>:])::{name}\s*\(", text) is not None
    return re.search(rf"\b{name}\b", text) is not None or any(
        function == name and pointer in text for pointer, function in POINTERS.items())


def users(name, root=ROOT):
    """Who uses a name: (numbers of chapters, files of common/ relative to it, names of encores)."""
    numbers, files, names = set(), set(), set()
    for path in program_files(root):
        if uses(path, name):
            relative = path.relative_to(root)
            if relative.parts[0] == "common":
                files.add("/".join(relative.parts[1:]))
            elif relative.parts[0] == "encores":
                names.add(relative.parts[1])
            else:
                numbers.add(relative.parts[1][:2])
    return sorted(numbers), sorted(files), sorted(names)


# --- the table of expectations ----------------------------------------------------------------------------------------

def expectations(root=ROOT):
    """tests/expectations.csv: (its text about each behaviour, rows of behaviour to {number: cell})."""
    explained, rows, numbers = {}, {}, None
    for line in (root / "tests/expectations.csv").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            match = re.match(r"# ([^:.]+): (.+)", line)
            if match:
                explained[match[1]] = match[2]
            continue
        cells = [cell.strip() for cell in line.split(",")]
        if numbers is None:
            numbers = cells[1:]
        elif cells[0]:
            rows[cells[0]] = dict(zip(numbers, cells[1:]))
    return explained, rows


# --- the watch --------------------------------------------------------------------------------------------------------

DECLARED = re.compile(r"\bcheck \w+\{\s*\"([a-z0-9-]+)\",\s*certainty::(\w+)\s*\}")
REPLACED = re.compile(r"\breplace\(\s*[^,()]+,\s*\"(\w+)\"|\bhand_out_ours<LPFN_\w+>\(\s*place,\s*real\.(\w+)")


def watch_files(root=ROOT):
    return sorted(path for path in (root / "common/watch").rglob("*") if path.suffix in (".cpp", ".hpp"))


def watch_checks(root=ROOT):
    """What the watch looks after, as common/watch/check.hpp declares it: id to certainty."""
    header = root / "common/watch/check.hpp"
    return dict(DECLARED.findall(code(header))) if header.exists() else {}


def watch_table(root=ROOT):
    """tests/watch/checks.csv: id to its row."""
    with open(root / "tests/watch/checks.csv", encoding="utf-8", newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def watch_calls(root=ROOT):
    """The Win32 functions that the watch calls itself: name to the files that do."""
    found = {}
    for path in watch_files(root):
        for name in CALL.findall(code(path)):
            found.setdefault(name, set()).add("/".join(path.relative_to(root / "common/watch").parts))
    return found


def watch_replaced(path, root=ROOT):
    """The functions that a file of the watch replaces in the tables of the program, in the order of the source."""
    try:
        text = code(root / path)
    except OSError:
        raise Mistake(f"there is no file {path}") from None
    return list(dict.fromkeys(first or second for first, second in REPLACED.findall(text)))
