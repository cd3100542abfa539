"""Makes the site work from files, as `./tutorial docs` leaves it, without a web server and without the network.

- Debian's furo is a script that imports another, or (in Debian 13) a module itself: a browser loads neither from a
  file. It takes normalize.css from a folder of the web server, and in Debian 12 its style sheet has lost the rules for
  a reader whose whole system is dark.
- Sphinx's search loads each page that it found, for a summary, which a browser refuses as well (conf.py switches that
  off), and leaves out what is a number, which would be every error code.
"""

import re
from pathlib import Path

from sphinx.util import logging

log = logging.getLogger(__name__)

SERVER_FOLDER = re.compile(r"@import\s+url\([\"']?(/[^)\"']+)[\"']?\)\s*;")
MODULE = re.compile(r"^import (?:\* as )?\w+ from [\"']\./([\w.-]+)[\"'];\n", re.MULTILINE)
MODULE_TAG = re.compile(r'<script type="module" (?=src="[^"]*_static/scripts/furo\.js)')
NUMBERS = re.compile(r"(?:\|\|\s*)?queryTerm\.match\(/\^\\d\+\$/\)")


def change(path, function):
    if not path.exists():
        return False
    text = path.read_text(encoding="utf-8")
    changed = function(text)
    if changed != text:
        if path.is_symlink():
            path.unlink()
        path.write_text(changed, encoding="utf-8")
    return changed != text


def follow_the_system(text):
    """Repeats the rules of the dark theme for those who have not chosen one and whose system is dark."""
    start = text.find('@media not print {\n  body[data-theme="dark"]')
    if start < 0 or "prefers-color-scheme" in text:
        return text
    first = text.index("{", start) + 1
    end, depth = first, 1
    while depth:
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        end += 1
    rules = text[first:end - 1].replace('body[data-theme="dark"]', 'body:not([data-theme="light"])')
    return f"{text[:end]}\n@media not print {{\n@media (prefers-color-scheme: dark) {{{rules}}} }}\n{text[end:]}"


def installed(match):
    path = Path("/usr/share" + match[1])
    return path.read_text(encoding="utf-8") if path.exists() else ""


def make_offline(app, exception):
    if exception or app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    for sheet in static.glob("styles/*.css"):
        change(sheet, lambda text: follow_the_system(SERVER_FOLDER.sub(installed, text)))
    scripts = static / "scripts"
    change(scripts / "furo.js",
           lambda text: MODULE.sub(lambda module: (scripts / module[1]).read_text(encoding="utf-8") + "\n", text))
    for page in Path(app.outdir).rglob("*.html"):
        change(page, lambda text: MODULE_TAG.sub("<script defer ", text))
    if not change(static / "searchtools.js", lambda text: NUMBERS.sub("", text)):
        log.warning("docs/_ext/offline.py does not know this Sphinx: its search leaves out numbers")


def setup(app):
    app.connect("build-finished", make_offline)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
