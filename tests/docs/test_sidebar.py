#!/usr/bin/env python3
"""The groups of the sidebar: folded, but for the one that the reader is in."""

import re
import sys
import types
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "docs/_ext"))
import sidebar  # noqa: E402

GROUP = ('<p class="caption" role="heading"><span class="caption-text">{}</span></p>\n<ul{}>\n'
         '<li class="toctree-l1{}"><a class="reference internal" href="{}.html">x</a></li>\n</ul>\n')


def shown(*groups):
    """(title, whether it is open) of each group; a group is its title, a page, and whether the reader is there."""
    tree = "".join(GROUP.format(title, ' class="current"' if here else "", " current" if here else "", page)
                   for title, page, here in groups)
    context = {"furo_navigation_tree": tree}
    app = types.SimpleNamespace(config=types.SimpleNamespace(book_repository=""))
    sidebar.fold(app, "page", "page.html", context, None)
    return [(title, bool(is_open)) for is_open, title in re.findall(
        r'<details class="nav-group"( open)?><summary class="caption"><span class="caption-text">(.*?)</span></summary>\n<ul.*?</ul>\n</details>',
        context["furo_navigation_tree"], re.DOTALL)]


class Groups(unittest.TestCase):
    def test_only_the_group_of_the_page_is_open(self):
        self.assertEqual(shown(("Start", "a", False), ("The watch", "b", True), ("Else", "c", False)),
                         [("Start", False), ("The watch", True), ("Else", False)])

    def test_a_page_in_no_group_has_the_first_two_open(self):
        self.assertEqual(shown(("Start", "a", False), ("The chapters", "b", False), ("Else", "c", False)),
                         [("Start", True), ("The chapters", True), ("Else", False)])

    def test_a_page_whose_name_has_the_word_in_it_opens_nothing(self):
        self.assertEqual(shown(("Start", "a", True), ("Programs", "concurrent_receive", False)), [("Start", True), ("Programs", False)])


if __name__ == "__main__":
    unittest.main()
