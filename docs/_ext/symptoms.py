"""The check that docs/symptoms.rst leads to every rule of lifetimes/index.rst, to every program of ./tutorial break and to
every mistake of the Go listing, whose number stands in brackets: [5]."""

import re

from sphinx.util import logging

import rules
import sources
import wrong

log = logging.getLogger(__name__)
PAGE = "symptoms"
LISTING = "docs/start/go_listing.rst"


def check_all(app, env):
    if PAGE not in env.found_docs:
        return
    text = (sources.ROOT / f"docs/{PAGE}.rst").read_text(encoding="utf-8")
    for role, known in (("rule", rules.titles()), ("pitfall", wrong.programs())):
        linked = set(re.findall(rf":{role}:`([^`]+)`", text))
        for name in sorted(set(known) - linked):
            log.warning("no symptom leads to the %s %s", role, name, location=PAGE)
    mistakes = re.findall(r"^\.\. answer:: (\d+)\. ", (sources.ROOT / LISTING).read_text(encoding="utf-8"), re.MULTILINE)
    marked = re.findall(r"\[(\d+)\]", text)
    for number in sorted(set(mistakes) ^ set(marked), key=int):
        if number in mistakes:
            log.warning("no symptom leads to mistake %s of %s", number, LISTING, location=PAGE)
        else:
            log.warning("[%s]: %s has no mistake of this number", number, LISTING, location=PAGE)


def setup(app):
    app.connect("env-check-consistency", check_all)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
