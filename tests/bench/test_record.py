#!/usr/bin/env python3
"""What is kept of a run of the bench: medians with their range, and nothing that names a machine or a day."""

import copy
import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().with_name("record")


def taken(per_second, p99_us=1000.0, clients=64, **other):
    return {"clients": clients, "served": clients, "done": int(per_second), "per_second": per_second, "p50_us": p99_us / 2,
            "p99_us": p99_us, "unanswered": 0, "slow": False, "errors": 0, "cpu_per_100000": [4.0, 3.0]} | other


def pair(server, point, own, asio):
    return {"server": server, "point": point, "own": own, "asio": asio}


RUN = {
    "began": "2026-01-02T03:04:05", "seconds": 1, "rounds": 3, "seed": 7, "core": 1, "load_core": 1, "interrupted": False,
    "system": {"system": "Linux-6.1.2-secret-x86_64-with-glibc2.36", "processors": 2, "distribution": "Debian GNU/Linux 12 (bookworm)",
               "wine": "wine-8.0 (Debian 8.0~repack-4)"},
    "servers": {name: {"words": [f"{name}.exe", "--port", "0", *arguments], "native": name == "epoll"}
                for name, arguments in {"asio": [], "epoll": [], "17": [], "17:--no-skip:--batch=1": ["--no-skip", "--batch=1"],
                                        "04": []}.items()},
    "points": {"64": {"name": "64", "mode": "echo", "clients": 64, "size": 64},
               "256": {"name": "256", "mode": "echo", "clients": 256, "size": 64},
               "memory": {"name": "memory", "mode": "hold", "clients": 4000, "size": 64}},
    "pairs": [pair("17", "64", taken(1000, 500), taken(1000, 1000)), pair("17", "64", taken(3000, 1500, unanswered=4), taken(1500, 1000)),
              pair("17", "64", taken(2400, 900), taken(2000, 1000)), pair("04", "64", taken(0, served=62, done=0), taken(1000))],
    "memory": {"17": {"clients": 4000, "fresh": 1.04, "after 64 KiB": 1.15, "all gone": 0.2}, "04": {"clients": 4000}},
    "errors": [],
}


class Recording(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.run_of_bench = copy.deepcopy(RUN)
        self.more_files = []

    def recorded(self, *more, status=0):
        files = []
        for number, each in enumerate([self.run_of_bench, *more]):
            files.append(self.folder / f"{number}.json")
            files[-1].write_text(json.dumps(each), encoding="utf-8")
        done = subprocess.run([sys.executable, SCRIPT, *files, *self.more_files, "--to", self.folder / "out.json"], capture_output=True, text=True)
        self.assertEqual(done.returncode, status, done.stderr)
        self.said = done.stderr
        return None if status else json.loads((self.folder / "out.json").read_text(encoding="utf-8"))

    def test_a_cell_has_the_median_and_the_range_of_pairs(self):
        self.assertEqual(self.recorded()["found"]["17"]["64"], {
            "per_second": [2400, 1000, 3000], "ratio": [1.2, 1.0, 2.0], "p50_ms": [0.45, 0.25, 0.75], "p99_ms": [0.9, 0.5, 1.5],
            "p99_ratio": [0.9, 0.5, 1.5], "unanswered": 4, "pairs": 3, "cpu_s": [4.0, 3.0]})

    def test_who_serves_too_few_is_left_out_there_and_with_more_clients(self):
        found = self.recorded()
        self.assertEqual(found["found"]["04"], {"64": {"left out": "serves 62"}, "256": {"left out": "serves 62"}})
        self.assertEqual(found["memory"]["KiB"]["04"], {"left out": "serves 62"})

    def test_what_is_too_slow_is_called_so(self):
        self.run_of_bench["pairs"][-1]["own"]["slow"] = True
        self.assertEqual(self.recorded()["found"]["04"]["64"], {"left out": "too slow"})

    def test_nothing_tells_the_day_or_the_machine(self):
        self.recorded()
        text = (self.folder / "out.json").read_text(encoding="utf-8")
        for word in ("2026", "secret", "seed", "bookworm", "repack", "exe"):
            self.assertNotIn(word, text)
        self.assertIn('"machine": {"system": "Wine 8.0 on Debian 12", "processors": 2}', text)

    def test_a_machine_that_has_no_wine(self):
        self.run_of_bench["system"] = {"system": "Windows-11-10.0.22631-SP0", "processors": 8}
        self.assertEqual(self.recorded()["machine"], {"system": "Windows 11", "processors": 8})

    def test_the_tricks_of_a_server_are_told(self):
        servers = self.recorded()["servers"]
        self.assertEqual(servers["17"]["tricks"], ["skip mode", "fair turns", "deferred receives", "batches", "small blocks"])
        self.assertEqual(servers["17:--no-skip:--batch=1"],
                         {"arguments": ["--no-skip", "--batch=1"], "native": False,
                          "tricks": ["fair turns", "deferred receives", "small blocks"]})
        self.assertEqual(servers["04"]["tricks"], [])

    def test_the_servers_stand_in_the_order_of_the_ladder(self):
        self.assertEqual(list(self.recorded()["servers"]), ["04", "17", "17:--no-skip:--batch=1", "asio", "epoll"])

    def test_several_runs_are_taken_together(self):
        more = copy.deepcopy(RUN)
        more["pairs"] = [pair("17", "64", taken(4000), taken(1000))]
        more["memory"] = {"17": {"clients": 4000, "fresh": 2.0}}
        found = self.recorded(more)
        self.assertEqual((found["found"]["17"]["64"]["pairs"], found["found"]["17"]["64"]["ratio"]), (4, [1.6, 1.0, 4.0]))
        self.assertEqual(found["memory"]["KiB"]["17"], {"fresh": 2.0})

    def test_a_run_with_memory_alone_may_have_lasted_differently(self):
        more = copy.deepcopy(RUN) | {"pairs": [], "seconds": 5}
        self.assertEqual(self.recorded(more)["seconds"], 1)

    def test_runs_of_different_length_are_refused(self):
        self.recorded(copy.deepcopy(RUN) | {"seconds": 5}, status=1)
        self.assertIn("differ in `seconds`", self.said)

    def test_runs_of_different_machines_are_refused(self):
        more = copy.deepcopy(RUN)
        more["system"]["wine"] = "wine-10.0"
        self.recorded(more, status=1)
        self.assertIn("Wine 10.0 on Debian 12", self.said)

    def test_a_run_that_was_interrupted_is_refused(self):
        self.run_of_bench["interrupted"] = True
        self.recorded(status=1)
        self.assertIn("interrupted", self.said)

    def test_a_measurement_with_an_error_does_not_count_and_is_told(self):
        self.run_of_bench["pairs"][0]["own"]["errors"] = 1
        cell = self.recorded()["found"]["17"]["64"]
        self.assertEqual((cell["pairs"], cell["failed"], cell["ratio"][1]), (2, 1, 1.2))
        self.assertIn("17, 64", self.said)

    def test_what_has_failed_every_time_is_told(self):
        self.run_of_bench["errors"] = ["17, 256: it does not start"]
        self.assertEqual(self.recorded()["found"]["17"]["256"], {"left out": "failed"})
        self.assertIn("17, 256", self.said)

    def test_what_has_errors_every_time_is_told(self):
        for each in self.run_of_bench["pairs"][:3]:
            each["own"]["errors"] = 1
        self.assertEqual(self.recorded()["found"]["17"]["64"], {"left out": "failed"})

    def count(self, *lines):
        file = self.folder / "requests.jsonl"
        file.write_text("".join(json.dumps({"program": program, "arguments": arguments, "clients": clients, "size": 64,
                                            "requests_per_echo": count, "requests": {"read": count}}) + "\n"
                                for program, arguments, clients, count in lines), encoding="utf-8")
        self.more_files = [file]

    def test_requests_of_a_server_that_was_not_measured_are_refused(self):
        self.count(("asio_echo", ["--threads", "3"], 1, 7.98))
        self.recorded(status=1)
        self.assertIn("no server asio_echo --threads 3", self.said)

    def test_requests_per_echo_are_taken_from_lines(self):
        self.run_of_bench["servers"]["asio"]["words"] = ["asio_echo.exe", "--port", "0", "--threads", "1"]
        self.count(("asio_echo", ["--threads", "1"], 1, 7.98), ("17_echo_server", ["--batch=1"], 64, 6.04),
                   ("17_echo_server", [], 1, 6.03), ("17_echo_server", [], 64, 6.06))
        self.assertEqual(self.recorded()["requests"], {"17": {"1": 6.0, "64": 6.1}, "17:--batch=1": {"64": 6.0}, "asio": {"1": 8.0}})

    def test_what_was_not_measured_is_not_there(self):
        self.assertEqual(list(self.recorded()["found"]["17"]), ["64"])


if __name__ == "__main__":
    unittest.main()
