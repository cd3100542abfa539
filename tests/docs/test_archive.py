#!/usr/bin/env python3
"""The archives of the sources: the same files make the same bytes, whenever and wherever they were written."""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zipfile
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "docs/_ext"))
import archive  # noqa: E402


def tree(folder, when):
    """A small project; what is built in it is not to be in an archive."""
    for name, text in {"tutorial": "#!/bin/sh\n", "chapters/00/main.cpp": "int main() {}\n", "build/out.txt": "made\n",
                       "docs/__pycache__/a.pyc": "made\n"}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        os.utime(path, (when, when))
    (folder / "tutorial").chmod(0o755)


class Archives(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)

    def made(self, ending, when, name):
        root = self.folder / name
        tree(root, when)
        path = self.folder / f"{name}.{ending}"
        with mock.patch("time.time", return_value=when):  # as if it were written then
            archive.WRITERS[ending](root, path)
        return path

    def test_the_same_sources_make_the_same_bytes(self):
        for ending in archive.WRITERS:
            one, other = self.made(ending, 1_000_000_000, "one"), self.made(ending, 1_700_000_000, "other")
            self.assertEqual(one.read_bytes(), other.read_bytes(), ending)

    def test_what_is_built_is_left_out_and_what_runs_stays_so(self):
        with zipfile.ZipFile(self.made("zip", 1_000_000_000, "one")) as packed:
            self.assertEqual(packed.namelist(), ["iocp-step-by-step/chapters/00/main.cpp", "iocp-step-by-step/tutorial"])
            self.assertEqual([entry.external_attr >> 16 & 0o777 for entry in packed.infolist()], [0o644, 0o755])
        with tarfile.open(self.made("tar.gz", 1_000_000_000, "other")) as packed:
            self.assertEqual([(entry.name, entry.mode) for entry in packed.getmembers()],
                             [("iocp-step-by-step/chapters/00/main.cpp", 0o644), ("iocp-step-by-step/tutorial", 0o755)])

    def test_the_time_can_be_given(self):
        with mock.patch.dict(os.environ, {"SOURCE_DATE_EPOCH": "1600000000"}):
            with tarfile.open(self.made("tar.gz", 1_000_000_000, "one")) as packed:
                self.assertEqual({entry.mtime for entry in packed.getmembers()}, {1_600_000_000})

    @unittest.skipUnless(shutil.which("git"), "git is not there")
    def test_of_a_repository_only_what_git_knows_is_taken(self):
        root = self.folder / "one"
        tree(root, 1_000_000_000)
        (root / "notes.txt").write_text("mine\n", encoding="utf-8")
        git = ["git", "-C", root, "-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        for words in (["init", "-q"], ["add", "tutorial", "chapters"], ["commit", "-q", "-m", "first", "--date", "@1650000000"]):
            subprocess.run([*git, *words], check=True, env=os.environ | {"GIT_COMMITTER_DATE": "@1650000000 +0000"})
        self.assertEqual(archive.files(root), ["chapters/00/main.cpp", "tutorial"])
        self.assertEqual(archive.moment(root), 1_650_000_000)

    def test_of_this_project_what_a_reader_needs_is_there(self):
        names = archive.files(ROOT)
        for name in ("tutorial", "tutorial.cmd", "CMakeLists.txt", "LICENSE", "chapters/17_echo_server/main.cpp", "docs/conf.py"):
            self.assertIn(name, names)
        self.assertFalse([name for name in names if name.startswith("build/")])


if __name__ == "__main__":
    unittest.main()
