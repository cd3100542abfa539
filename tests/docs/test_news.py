"""Which lines of a chapter count as new, and in which order a program's files are shown."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs/_ext"))
import news  # noqa: E402
import sources  # noqa: E402

LADDER = "number,name,short route,idea\n00,a,no,x\n01,b,no,x\n02,c,no,x\n"
BEFORE = """\
// What it is.
void serve(SOCKET s) {
    char buffer[10];
    DWORD flags = 0;
    if (::recv(s, buffer) == 0) {
        return;
    }
    say("00_a");
}
"""


class Programs(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.write("chapters/ladder.csv", LADDER)
        self.write("chapters/00_a/main.cpp", BEFORE)

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")


class New(Programs):
    def new(self, text, path="chapters/01_b/main.cpp"):
        """The lines that are marked, of a text that begins with the one before: so there is something that is not."""
        self.write(path, BEFORE + text)
        first = len(BEFORE.splitlines())
        numbers = news.new_lines(path, self.root)
        self.assertFalse({number for number in numbers if number <= first})
        lines = text.splitlines()
        return [lines[number - first - 1] for number in sorted(numbers)]

    def test_a_line_is_new_when_its_text_stands_nowhere_in_the_chapter_before(self):
        self.assertEqual(self.new("int x = 1;\nchar buffer[10];\n"), ["int x = 1;"])

    def test_comment_and_indentation_and_the_name_of_the_chapter_make_no_line_new(self):
        self.assertEqual(self.new('        char   buffer[10]; // of bytes\nsay("01_b");\n'), [])

    def test_a_bracket_is_as_the_line_that_opened_it(self):
        self.assertEqual(self.new("if (a) {\n    b();\n}\nif (::recv(s, buffer) == 0) {\n    c();\n}\n"),
                         ["if (a) {", "    b();", "}", "    c();"])

    def test_what_stood_elsewhere_before_is_new_within_a_new_block(self):
        text = "void f() {\n    a();\n    DWORD flags = 0;\n    return;\n\n    b();\n}\n"
        self.assertEqual(self.new(text), text.splitlines())

    def test_a_comment_is_new_beside_new_code_only(self):
        self.assertEqual(self.new("// One word.\nint x = 1;\n\n// Another word.\nchar buffer[10];\n"),
                         ["// One word.", "int x = 1;"])
        self.assertEqual(self.new("// What it is.\nint x = 1;\n"), ["int x = 1;"])

    def test_an_include_is_a_line_like_any_other(self):
        self.assertEqual(self.new("#include <new>\n"), ["#include <new>"])

    def test_the_first_chapter_and_what_is_no_chapter_have_no_new_lines(self):
        self.write("common/a.hpp", "int x;\n")
        self.assertEqual(news.new_lines("chapters/00_a/main.cpp", self.root), set())
        self.assertEqual(news.new_lines("common/a.hpp", self.root), set())

    def test_in_a_chapter_that_is_new_as_a_whole_nothing_is_marked(self):
        self.write("chapters/01_b/main.cpp", "int x;\nint y;\n")
        self.assertEqual(news.new_lines("chapters/01_b/main.cpp", self.root), set())

    def test_a_chapter_is_compared_with_the_one_before_it_on_the_ladder_only(self):
        self.write("chapters/01_b/main.cpp", BEFORE)
        self.assertEqual(self.new("int x;\n", "chapters/02_c/main.cpp"), ["int x;"])


class Order(Programs):
    def order(self):
        return [path.removeprefix("chapters/01_b/") for path in sources.reading_order("chapters/01_b", self.root)]

    def test_main_comes_first_and_then_what_it_includes(self):
        self.write("chapters/01_b/main.cpp", '#include "z.hpp"\n#include "a.hpp"\n#include "common/q.hpp"\n')
        self.write("chapters/01_b/z.hpp", '#include "y.hpp"\n')
        for name in ("a.hpp", "y.hpp", "b.cpp"):
            self.write(f"chapters/01_b/{name}", "\n")
        self.assertEqual(self.order(), ["main.cpp", "z.hpp", "a.hpp", "y.hpp", "b.cpp"])

    def test_sources_stand_in_the_order_of_the_build(self):
        self.write("chapters/01_b/CMakeLists.txt", "add_chapter(01_b main.cpp z.cpp a.cpp)\n")
        for name in ("main.cpp", "a.cpp", "z.cpp"):
            self.write(f"chapters/01_b/{name}", "\n")
        self.assertEqual(self.order(), ["main.cpp", "z.cpp", "a.cpp"])

    def test_each_header_of_common_has_a_page_with_its_source(self):
        for name in ("common/a.hpp", "common/a.cpp", "tests/x/b.cpp"):
            self.write(name, "\n")
        self.write("docs/p.rst", ".. region:: tests/x/b.cpp all\n")
        self.assertEqual(sources.program_pages(self.root), {
            "programs/00_a": ["chapters/00_a/main.cpp"], "programs/common/a": ["common/a.hpp", "common/a.cpp"],
            "programs/tests/x/b": ["tests/x/b.cpp"]})


if __name__ == "__main__":
    unittest.main()
