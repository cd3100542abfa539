"""Tables and charts of what was measured: what they read, what they refuse, and how a chart is drawn."""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ET
from pathlib import Path

sys.dont_write_bytecode = True
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs/_ext"))
import bench_record  # noqa: E402
import bench_svg  # noqa: E402
import sources  # noqa: E402

STYLE_SHEET = (ROOT / "docs/_static/bench.css").read_text(encoding="utf-8")


def cell(ratio, **other):
    return {"per_second": [12000, 11000, 12500], "ratio": ratio, "p50_ms": [1, 1, 1], "p99_ms": [0.25, 0.2, 25],
            "p99_ratio": [1, 1, 1], "unanswered": 0, "pairs": 3, "cpu_s": [3.5, 0.0]} | other


RECORD = {
    "machine": {"system": "Wine 8.0 on Debian 12", "processors": 2}, "seconds": 1, "one core": True,
    "points": {"1": {"mode": "echo", "clients": 1, "size": 64}, "1000": {"mode": "echo", "clients": 1000, "size": 64},
               "64k": {"mode": "echo", "clients": 16, "size": 65536}, "connect": {"mode": "connect", "clients": 16, "size": 64}},
    "servers": {"17": {"arguments": [], "native": False, "tricks": ["skip mode", "batches"]}},
    "found": {"12": {"1": cell([1.5, 1.25, 1.75]), "1000": cell([1, 1, 1], unanswered=37), "64k": {"left out": "serves 15"}},
              "17:--no-skip": {"1": cell([0.9, 0.8, 1])}, "asio": {"1": cell([1, 1, 1]), "1000": cell([1, 0.9, 1.1])}},
    "memory": {"clients": 4000, "KiB": {"12": {"fresh": 16.5, "after 64 KiB": 16.5, "all gone": 0.1}, "04": {"left out": "serves 62"}}},
    "requests": {"12": {"1": 8.0, "64": 8.0}, "17:--no-skip": {"64": 8.06}},
}
CALLS = "chapter,receives,sends,dequeues,posts,sum,busy_at_most\n01,1,1,2,0,4,4\n02,1,1,1,0,3,2.2\n"


def chart(**other):
    series = [bench_svg.Series("one & all", 1, [1.0, 1.2, None], [[0.9, 1.1], [1.2, 1.2], None]),
              bench_svg.Series("two", 6, [2.0, 2.5, 3.0], [None, None, None])]
    given = {"title": "A <chart>", "kind": "lines", "places": ["1", "64", "1,000"], "series": series, "axis": "a ratio",
             "below": "clients", "base": 1}
    return bench_svg.Chart(**(given | other))


class Reading(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        (self.root / "docs/recorded").mkdir(parents=True)
        (self.root / bench_record.PATH).write_text(json.dumps(RECORD), encoding="utf-8")

    def test_figures_have_three_digits(self):
        self.assertEqual([bench_record.number(value) for value in (12345, 123.4, 12.34, 20, 1.234, 0.1234, 0.0321)],
                         ["12,345", "123", "12.3", "20.0", "1.23", "0.12", "0.032"])

    def test_a_cell_is_shown_with_its_range(self):
        record = bench_record.Record(self.root)
        found = record.cell("12", "1")
        self.assertEqual(bench_record.shown(bench_record.QUANTITIES["ratio"], found), ("1.50", "1.25–1.75"))
        self.assertEqual(bench_record.shown(bench_record.QUANTITIES["p99"], found), ("0.25 ms", "0.20–25.0"))
        self.assertEqual(bench_record.shown(bench_record.QUANTITIES["cpu"], found), ("3.50", ""))
        self.assertEqual(bench_record.shown(bench_record.QUANTITIES["ratio"], record.cell("12", "64k")), ("–", "serves 15"))

    def test_a_figure_in_a_sentence_is_rounded(self):
        self.assertEqual([bench_record.rounded(value, digits) for value, digits in
                          ((17449, 3), (22017, 3), (3.64, 2), (0.0434, 1), (206.9, 3), (50.7, 2), (8.0, 2), (12.0, 1), (9.99, 2), (0, 3))],
                         ["17,400", "22,000", "3.6", "0.04", "207", "51", "8", "10", "10", "0"])
        record = bench_record.Record(self.root)
        self.assertEqual([bench_record.said(record, *what) for what in
                          (("12", "1", "rate"), ("12", "1", "ratio", 2), ("12", "1000", "unanswered"), ("17:--no-skip", "64", "requests", 1))],
                         ["12,000", "1.5", "37", "8"])

    def test_points_have_titles(self):
        record = bench_record.Record(self.root)
        self.assertEqual([record.title(point) for point in record.points], ["1", "1,000", "16 × 64 KiB", "visits"])

    def test_what_is_not_there_is_refused_with_what_there_is(self):
        record = bench_record.Record(self.root)
        for what, text in ((lambda: record.cell("09", "1"), "has no server 09; it has 12, 17:--no-skip, asio"),
                           (lambda: record.cell("12", "16"), "has no point 16; it has 1, 1000, 64k, connect"),
                           (lambda: record.cell("asio", "64k"), "has nothing of server asio at point 64k"),
                           (lambda: record.memory("17"), "has no memory of server 17; it has 12, 04"),
                           (lambda: bench_record.said(record, "12", "1", "speed"), "there is no figure speed; there are requests, ratio, rate"),
                           (lambda: bench_record.said(record, "12", "64k", "rate"), "has no rate of server 12 at point 64k"),
                           (lambda: bench_record.said(record, "12", "16", "requests"), "no requests of server 12 with 16 clients; it has 1, 64"),
                           (lambda: bench_record.Record(self.root / "x"), "there is no docs/recorded/bench.json"),
                           (lambda: bench_record.calls_per_echo(self.root), "there is no tests/calls_per_echo.csv")):
            with self.assertRaisesRegex(sources.Mistake, text):
                what()


class Drawing(unittest.TestCase):
    def test_a_drawing_is_the_same_each_time(self):
        program = ("import sys; sys.dont_write_bytecode = True; sys.path[:0] = sys.argv[1:]; import bench_svg, test_bench_pages\n"
                   "print(bench_svg.draw(test_bench_pages.chart(), 'fig', bench_svg.WIDE))")
        drawn = {subprocess.run([sys.executable, "-c", program, str(ROOT / "docs/_ext"), str(ROOT / "tests/docs")],
                                capture_output=True, text=True, check=True).stdout for _ in range(2)}
        self.assertEqual(len(drawn), 1)
        self.assertNotRegex(drawn.pop(), r"20\d\d-")

    def test_each_text_is_in_the_drawing(self):
        for style in (bench_svg.WIDE, bench_svg.NARROW):
            for each in (chart(), chart(kind="bars", base=None)):
                root = ET.fromstring(bench_svg.draw(each, "fig", style))
                self.assertEqual(root.get("viewBox").split()[2], f"{style.width:g}")
                texts = ["".join(text.itertext()).strip() for text in root.iter(f"{{{bench_svg.SVG}}}text")]
                for text in [*each.places, each.axis]:
                    self.assertIn(text, texts)
                self.assertEqual(root.find(f"{{{bench_svg.SVG}}}title").text, "A <chart>")

    def test_every_letter_is_the_page_s(self):
        drawn = bench_svg.draw(chart(), "fig", bench_svg.NARROW)
        self.assertNotRegex(drawn, r"font(-family)?:")
        sizes = re.findall(r"\.bench-text \{\s*font-size: ([\d.]+)px", STYLE_SHEET)
        self.assertEqual([float(size) for size in sizes], [bench_svg.WIDE.font, bench_svg.NARROW.font])

    def test_every_colour_is_the_page_s(self):
        for each in (chart(), chart(kind="bars", base=None), chart(logarithmic=True)):
            drawn = bench_svg.draw(each, "fig", bench_svg.WIDE) + bench_svg.legend(each)
            self.assertNotRegex(drawn, r"#[0-9a-f]{6}\b")
            for variable in set(re.findall(r"var\((--bench-\d+)\)", drawn)):
                self.assertEqual(len(re.findall(rf"{variable}: #", STYLE_SHEET)), 3, variable)  # light, and dark in two ways
            self.assertIn("var(--bench-6)", drawn)

    def test_no_name_stands_twice_on_a_page(self):
        page = "".join(bench_svg.draw(chart(), name, style) for name in ("fig-a", "fig-b")
                       for style in (bench_svg.WIDE, bench_svg.NARROW))
        names = re.findall(r' id="([^"]*)"', page)
        self.assertEqual(len(names), len(set(names)))
        for used in re.findall(r'(?:url\(|href=")#([^)"]*)', page):
            self.assertIn(used, names)

    def test_the_legend_has_every_series(self):
        legend = bench_svg.legend(chart())
        self.assertIn("one &amp; all", legend)
        self.assertEqual(legend.count('class="lanes-key"'), 2)

    def test_where_nothing_was_measured_is_a_gap(self):
        line = re.compile(r'<path d="([^"]*)"[^>]*style="[^"]*var\(--bench-1\)')
        drawn = bench_svg.draw(chart(base=None), "fig", bench_svg.WIDE)
        self.assertEqual(max(path.count("L") for path in line.findall(drawn) if "C" not in path), 1)


class Pages(unittest.TestCase):
    """A small book with the real extension."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.write("docs/recorded/bench.json", json.dumps(RECORD))
        self.write("tests/calls_per_echo.csv", CALLS)
        self.write("chapters/ladder.csv", "number,name,short route,idea\n12,orderly_end,yes,one\n17,echo_server,yes,two\n")
        self.write("docs/_ext/.keep", "")
        for path in (ROOT / "docs/_ext").glob("*.py"):
            self.write(f"docs/_ext/{path.name}", path.read_text(encoding="utf-8"))
        self.write("docs/_static/lanes.css", "")
        self.write("docs/_static/bench.css", "")
        self.write("docs/conf.py", "import sys\nfrom pathlib import Path\n"
                   "sys.path.insert(0, str(Path(__file__).resolve().parent / '_ext'))\nextensions = ['bench']\n"
                   "html_static_path = ['_static']\nexclude_patterns = ['_ext']\nsmartquotes = False\n")

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")

    def build(self, text):
        self.write("docs/index.rst", "Speed\n=====\n\n" + text)
        done = subprocess.run([sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", self.root / "docs",
                               self.root / "html"], capture_output=True, text=True,
                              env=os.environ | {"MPLCONFIGDIR": str(ROOT / "build/docs/matplotlib")})
        if done.returncode == 0:
            return (self.root / "html/index.html").read_text(encoding="utf-8")
        return done.stderr

    def test_a_table_has_a_row_for_each_server_and_says_who_got_nothing(self):
        page = self.build(".. bench-table:: ratio\n   :servers: asio 12\n   :points: 1 1000\n")
        rows = [re.sub(r"<[^>]*>|\s+", " ", row).split() for row in re.findall("<tr.*?</tr>", page, re.S)]
        self.assertEqual([" ".join(row) for row in rows],
                         ["clients 1 1,000", "Asio 1.00 1.00 0.90–1.10", "12 orderly end 1.50 1.25–1.75 1.00 37 unanswered"])

    def test_a_chart_is_drawn_for_both_windows_and_told_in_words(self):
        page = self.build(".. bench-chart:: p99 How long\n   :servers: asio 12\n   :points: 1 1000\n")
        self.assertEqual((page.count('class="lanes-svg lanes-wide"'), page.count('class="lanes-svg lanes-narrow"')), (1, 1))
        self.assertIn("<p>12 orderly end: 0.25 ms 0.20–25.0, 0.25 ms 0.20–25.0</p>", page)

    def test_memory_is_shown_as_a_table_and_as_bars(self):
        page = self.build(".. bench-memory:: 12 04\n\n.. bench-chart:: memory Silent\n   :servers: 12 04\n")
        self.assertIn("16.5 KiB", page)
        self.assertIn("serves 62", page)
        self.assertIn("KiB for each of 4,000 silent clients", page)

    def test_calls_per_echo_are_shown_and_posts_only_where_there_are_any(self):
        page = self.build(".. calls-per-echo:: 01 02\n")
        self.assertIn("2.2", page)
        self.assertNotIn("posts", page)
        self.write("tests/calls_per_echo.csv", CALLS.replace("1,0,3", "1,1,3"))
        self.assertIn("posts", self.build(".. calls-per-echo::\n"))

    def test_requests_are_shown(self):
        page = self.build(".. bench-requests:: 12 17:--no-skip\n")
        rows = [" ".join(re.sub(r"<[^>]*>|\s+", " ", row).split()) for row in re.findall("<tr.*?</tr>", page, re.S)]
        self.assertEqual(rows, ["requests for an echo 1 client 64 clients", "12 orderly end 8.0 8.0",
                                "17 echo server --no-skip – 8.1"])

    def test_what_was_measured_on_is_told(self):
        self.assertIn("Wine 8.0 on Debian 12, 2 processors, server, wineserver and load on one of them; each server 3 times at "
                      "each point, for 1 second. The full server had on: skip mode, batches.", self.build(".. bench-machine::\n"))

    def test_mistakes_stop_the_build(self):
        for text, said in ((".. bench-table:: ratio\n   :servers: 14\n", "index.rst:4: .*bench-table: docs/recorded/bench.json has no server 14; "
                                                                     "it has .*tests/bench/record writes it"),
                           (".. bench-table:: ratio\n   :points: 17\n", "has no point 17"),
                           (".. bench-table:: speed\n", "there is no quantity speed; there are ratio,"),
                           (".. bench-chart:: p99 Title\n   :servers: asio\n   :points: 64k\n", "bench-chart: .*has nothing of server asio at point 64k"),
                           (".. bench-chart:: cpu Title\n", "cpu is two figures"),
                           (".. bench-chart:: memory Title\n   :servers: 04\n", "has no memory of any of these"),
                           (".. bench-requests:: 13\n", "bench-requests: .*has no requests of server 13; it has 12"),
                           (".. bench-memory:: 13\n", "bench-memory: .*has no memory of server 13"),
                           (".. calls-per-echo:: 09\n", "calls-per-echo: tests/calls_per_echo.csv has no chapter 09; it has 01, 02")):
            with self.subTest(text=text):
                self.assertRegex(self.build(text), said)

    def test_without_a_record_nothing_is_shown(self):
        (self.root / "docs/recorded/bench.json").unlink()
        self.assertRegex(self.build(".. bench-machine::\n"), "there is no docs/recorded/bench.json; ./tutorial bench measures")


if __name__ == "__main__":
    unittest.main()
