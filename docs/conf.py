"""The book. `./tutorial docs` builds it; everything that it needs comes from Debian's packages, nothing from the network."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True  # what is built stays in build/
sys.path.insert(0, str(HERE / "_ext"))

project = "IOCP Step by Step"
author = "the contributors of IOCP Step by Step"
copyright = "the contributors; prose CC BY 4.0, code MIT-0 and MIT"
language = "en"

extensions = ["regions", "programs", "one_file", "checks", "cards", "claims", "expectations", "markers", "recorded", "contents", "errors", "matrix", "watch", "folded", "wrong", "exercise", "words", "stacks", "anchors", "archive", "sidebar", "api", "offline", "breathe", "sphinx_copybutton"]
if (HERE / "_ext/lanes.py").exists():
    extensions += ["lanes", "picture", "run_figure", "bench"]
extensions += ["rules", "checklist", "symptoms", "ebook"]

exclude_patterns = ["_ext", "_static", "_templates", "recorded", "*.inc"]
primary_domain = "cpp"
highlight_language = "cpp"
smartquotes = False
today_fmt = ""
html_last_updated_fmt = None

# Strict: each function, option and control code that chapters/ and common/ use has a card. While cards are being
# written: -D missing_cards=allow
missing_cards = "forbid"

# docs/_ext/api.py runs Doxygen and says where its XML is.
breathe_default_project = "iocp"
breathe_domain_by_extension = {"hpp": "cpp"}
breathe_show_include = False

# Where the project is kept, for a link in the site's head. Without it the link is left out.
book_repository = os.environ.get("IOCP_REPOSITORY", "")

html_theme = "furo"
templates_path = ["_templates"]
html_sidebars = {"**": ["sidebar/brand.html", "sidebar/sources.html", "sidebar/search.html", "sidebar/cards.html",
                        "sidebar/scroll-start.html", "sidebar/navigation.html", "sidebar/scroll-end.html"]}
html_title = "IOCP Step by Step"
html_static_path = ["_static"]
html_css_files = ["book.css"]
html_show_sourcelink = False
html_copy_source = False
html_show_search_summary = False  # see docs/_ext/offline.py
html_show_sphinx = False
pygments_style = "default"
pygments_dark_style = "monokai"

copybutton_prompt_text = r"\$ |> "
copybutton_prompt_is_regexp = True
copybutton_selector = "div:not(.no-copy) > div.highlight > pre"

version = release = "1"
epub_basename = "iocp-step-by-step"
epub_identifier = "iocp-step-by-step"
epub_scheme = "ID"
epub_uid = "iocp-step-by-step"
epub_show_urls = "no"
epub_tocdup = False
epub_exclude_files = ["search.xhtml"]
