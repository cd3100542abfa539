#!/usr/bin/env python3
"""single.py CHAPTER|ENCORE: writes its program, with the parts of common/ that it uses, into build/single/NAME.cpp, and
prints the one command that builds it.

The verb `single` of both front doors calls it; docs/_ext/one_file.py shows what Whole makes.
"""

import argparse
import csv
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OWN = re.compile(r'\s*#\s*include\s+"([^"]+)"')
INCLUDED = re.compile(r'target_include_directories\(\w+ PRIVATE "\$\{PROJECT_SOURCE_DIR\}/([^"]+)"')
SYSTEM = re.compile(r"\s*#\s*include\s+<([^>]+)>")
REGION = re.compile(r"\s*// \[/?[a-z][A-Za-z0-9_]*\]\s*$")
# CLI11, which reads our command lines, is no part of the file.
INSTEAD = {"common/command_line.cpp": "common/single/command_line.cpp"}
# winsock2.h before windows.h, which it would otherwise have to include itself; what extends them comes after them.
IN_ORDER = ["winsock2.h", "ws2tcpip.h", "mswsock.h", "mstcpip.h", "windows.h", "winternl.h"]
LIBRARIES = {"winsock2.h": "ws2_32", "mswsock.h": "mswsock", "winternl.h": "ntdll"}  # who includes this links that
# As cmake/compile_options.cmake has them.
DEFINES = """\
#ifndef _WIN32_WINNT
#define _WIN32_WINNT 0x0A00 // Windows 10
#endif
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN // windows.h would otherwise bring in the old winsock.h
#endif
#ifndef NOMINMAX
#define NOMINMAX // std::min and std::max stay functions
#endif
#ifndef UNICODE
#define UNICODE
#endif
"""
HEAD = """\
// {title}
//
// From "IOCP Step by Step": {folder}/ and what it uses of common/, as one file. To build it:
//
//   {command}
//
// SPDX-License-Identifier: MIT-0
"""
GNU = " -std=c++20 -O2 -Wall -Wextra -static {source} -o {program} {gnu_libraries}"
MICROSOFT = " /std:c++20 /EHsc /O2 /W4 {source} {outputs}{libraries}"
COMMANDS = {
    "mingw": "g++" + GNU,
    # Debian's name of the compiler that has std::thread in any of its versions.
    "cross-mingw": "x86_64-w64-mingw32-g++-posix" + GNU,
    "msvc": "cl" + MICROSOFT,
    "clang-cl": "clang-cl" + MICROSOFT,
}


class Mistake(Exception):
    """One line for the reader."""


def find(wanted, root=ROOT):
    """The folder of a chapter, from its number, or of an encore, from its name; and the one idea of it."""
    with open(root / "chapters/ladder.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if wanted in (row["number"], row["number"].removeprefix("0")):
                return f"chapters/{row['number']}_{row['name']}", f"Chapter {row['number']}: {row['idea']}"
    with open(root / "encores/encores.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if wanted == row["name"]:
                return f"encores/{row['name']}", f"Encore {row['name']}: {row['idea']}"
    raise Mistake(f"there is no chapter or encore {wanted}")


class Sources:
    """Files put one after the other, each once, as a compiler would read them."""

    def __init__(self, root):
        self.root = root
        self.system = set()
        self.files = {}  # what has been put in: its path from the root to its text, in order
        self.seen = set()
        self.folders = []  # where else a header may be, as the folder's CMakeLists.txt says

    def resolve(self, name, includer):
        """A header of ours: beside the file that includes it, or from the root, or where the encore says."""
        for path in ((self.root / includer).parent / name, self.root / name, *(folder / name for folder in self.folders)):
            if path.is_file():
                return path.resolve().relative_to(self.root.resolve()).as_posix()
        raise Mistake(f"{includer} includes {name}, which is not there")

    def add(self, path):
        """A file, after what it includes."""
        self.seen.add(path)
        kept = []
        for line in (self.root / path).read_text(encoding="utf-8").splitlines():
            own, system = OWN.match(line), SYSTEM.match(line)
            if own:
                header = self.resolve(own[1], path)
                if header not in self.seen:
                    self.add(header)
            elif system:
                self.system.add(system[1])
            elif not REGION.match(line) and line.strip() != "#pragma once":
                kept.append(line)
        text = re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip("\n")
        self.files[path] = f"// {'-' * (86 - len(path))} {path}\n\n{text}\n"

    def add_what_belongs_to_headers(self):
        """The .cpp of each header, which may bring in more headers."""
        done = set()
        while left := [path for path in sorted(self.seen - done) if path.endswith(".hpp")]:
            for header in left:
                done.add(header)
                path = header.removesuffix(".hpp") + ".cpp"
                path = INSTEAD.get(path, path)
                if (self.root / path).is_file():
                    self.add(path)

    def command(self, compiler, source, program):
        """The one command that builds the file."""
        libraries = [library for header, library in LIBRARIES.items() if header in self.system]
        elsewhere = f"/Fe:{program} /Fo:{program.removesuffix('.exe')}.obj " if "/" in program else ""
        words = COMMANDS[compiler].format(
            source=source, program=program, outputs=elsewhere,
            gnu_libraries=" ".join(f"-l{library}" for library in libraries),
            libraries=" ".join(f"{library}.lib" for library in libraries))
        return words.rstrip()

    def includes(self):
        """Of the system and of the standard library, each once, in an order that compiles."""
        first = [name for name in IN_ORDER if name in self.system]
        rest = sorted(self.system - set(IN_ORDER))
        groups = [first, [name for name in rest if name.endswith(".h")], [name for name in rest if not name.endswith(".h")]]
        return "\n".join("".join(f"#include <{name}>\n" for name in group) for group in groups if group)


class Whole(Sources):
    """A program in one file."""

    def __init__(self, folder, title, root=ROOT):
        super().__init__(root)
        building = (root / folder / "CMakeLists.txt").read_text(encoding="utf-8")
        self.folders = [root / path for path in INCLUDED.findall(building)]
        self.add(f"{folder}/main.cpp")
        self.add_what_belongs_to_headers()
        name = name_of(folder)
        building = self.command("mingw", f"{name}.cpp", f"{name}.exe")
        self.text = "\n".join([HEAD.format(title=title, folder=folder, command=building), DEFINES, self.includes(),
                               *self.files.values()])


def name_of(folder):
    return folder.rpartition("/")[2]


def main():
    parser = argparse.ArgumentParser(prog="single.py")
    parser.add_argument("wanted", metavar="CHAPTER|ENCORE")
    parser.add_argument("--compiler", choices=list(COMMANDS), default="cross-mingw")
    arguments = parser.parse_args()
    try:
        folder, title = find(arguments.wanted)
        made = Whole(folder, title)
    except Mistake as problem:
        print(f"tutorial: {problem}", file=sys.stderr)
        return 2
    stem = f"build/single/{name_of(folder)}"
    target = ROOT / f"{stem}.cpp"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(made.text, encoding="utf-8", newline="\n")
    print(f"Written: {stem}.cpp, {len(made.text.splitlines()):,} lines. This builds it:", file=sys.stderr)
    print(made.command(arguments.compiler, f"{stem}.cpp", f"{stem}.exe"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
