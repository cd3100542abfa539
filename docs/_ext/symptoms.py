"""The check that docs/symptoms.rst leads to every rule of lifetimes/index.rst and to every program of ./tutorial break."""

import re

from sphinx.util import logging

import rules
import sources
import wrong

log = logging.getLogger(__name__)
PAGE = "symptoms"


def check_all(app, env):
    if PAGE not in env.found_docs:
        return
    text = (sources.ROOT / f"docs/{PAGE}.rst").read_text(encoding="utf-8")
    for role, known in (("rule", rules.titles()), ("pitfall", wrong.programs())):
        linked = set(re.findall(rf":{role}:`([^`]+)`", text))
        for name in sorted(set(known) - linked):
            log.warning("no symptom leads to the %s %s", role, name, location=PAGE)


def setup(app):
    app.connect("env-check-consistency", check_all)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
