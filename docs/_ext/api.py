"""api: each symbol of common/ once, grouped by header, from Doxygen's XML by Breathe. The watch has a list of its own."""

import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

import sources

log = logging.getLogger(__name__)
# What is in a namespace below these is for its own header. (The watch's checks, iocp::watch::checks, have pages.)
NAMESPACES = ("iocp", "iocp::watch")
DIRECTIVES = {"class": "doxygenclass", "struct": "doxygenstruct", "function": "doxygenfunction",
              "typedef": "doxygentypedef", "enum": "doxygenenum", "variable": "doxygenvariable"}


def run_doxygen(app):
    """Makes the XML beside the doctrees, so that two builds do not meet there."""
    folder = Path(app.doctreedir).parent / "doxygen"
    folder.mkdir(parents=True, exist_ok=True)
    settings = (sources.ROOT / "docs/Doxyfile").read_text(encoding="utf-8") + f'\nOUTPUT_DIRECTORY = "{folder}"\n'
    try:
        run = subprocess.run(["doxygen", "-"], input=settings, text=True, cwd=sources.ROOT, capture_output=True, check=False)
    except FileNotFoundError:
        raise ExtensionError("there is no doxygen: please install it") from None
    for line in run.stderr.splitlines():
        log.warning("doxygen: %s", line.replace(str(sources.ROOT) + "/", ""))
    if run.returncode and not run.stderr:
        raise ExtensionError(f"doxygen ended with status {run.returncode}")
    app.config.breathe_projects = {"iocp": str(folder / "xml")}


def text_of(element):
    return "".join(element.itertext()).strip() if element is not None else ""


def symbols(xml):
    """All symbols of the namespace: header to [(line, kind, name, parameters, is it documented)]."""
    found = {}

    def add(element, kind, name, parameters=""):
        location = element.find("location")
        documented = bool(text_of(element.find("briefdescription")) or text_of(element.find("detaileddescription")))
        found.setdefault(location.get("file"), []).append((int(location.get("line")), kind, name, parameters, documented))

    for entry in ElementTree.parse(xml / "index.xml").getroot().iter("compound"):
        if entry.get("kind") not in ("class", "struct", "namespace"):
            continue
        compound = ElementTree.parse(xml / f"{entry.get('refid')}.xml").getroot().find("compounddef")
        name = compound.findtext("compoundname")
        if entry.get("kind") == "namespace" and name in NAMESPACES:
            for member in compound.iter("memberdef"):
                parameters = ", ".join(text_of(p.find("type")) for p in member.findall("param"))
                add(member, member.get("kind"), f"{name}::{member.findtext('name')}", parameters)
        elif (entry.get("kind") != "namespace" and compound.get("prot") == "public"
              and name.rpartition("::")[0] in NAMESPACES):
            add(compound, entry.get("kind"), name)
    return found


class Api(SphinxDirective):
    """.. api:: a section for each header of common/ but the watch's, or, with the argument `watch`, for those"""

    optional_arguments = 1

    def run(self):
        everything = symbols(Path(self.config.breathe_projects["iocp"]))
        of_the_watch = bool(self.arguments)
        if of_the_watch and self.arguments != ["watch"]:
            raise self.error("api: it takes nothing, or the word watch")
        found = {header: listed for header, listed in everything.items()
                 if header.startswith("common/watch/") == of_the_watch}
        for path in sources.watch_files() if of_the_watch else sources.program_files():
            self.env.note_dependency(str(path))
        names = [name for listed in everything.values() for _, _, name, _, _ in listed]
        lines = []
        for header in sorted(found):
            listed = sorted(found[header])
            lines += [header, "-" * len(header), "", f".. doxygenfile:: {header}", "   :sections: briefdescription detaileddescription", ""]
            for line, kind, name, parameters, documented in listed:
                if not documented:
                    log.warning("%s:%d: %s has no comment", header, line, name)
                if kind not in DIRECTIVES:
                    raise self.error(f"api: {header}:{line}: {name}: a {kind} is not expected here")
                target = name + (f"({parameters})" if kind == "function" and names.count(name) > 1 else "")
                lines.append(f".. {DIRECTIVES[kind]}:: {target}")
                if kind in ("class", "struct"):
                    lines += ["   :members:", "   :undoc-members:"]
                lines.append("")
        section = nodes.section()
        section.document = self.state.document
        self.state.nested_parse(StringList(lines, "docs/api.rst"), 0, section, match_titles=True)
        # Breathe's "Public Functions" say nothing, and each with the same anchor.
        for title in list(section.findall(nodes.rubric)):
            title.parent.remove(title)
        return section.children


def setup(app):
    app.add_directive("api", Api)
    app.connect("builder-inited", run_doxygen, priority=100)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
