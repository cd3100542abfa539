"""The sources as an archive, on the site: iocp-step-by-step.zip and .tar.gz beside its front page.

    :archive:`zip`     a link to it, on any page; in an output that has no archive, its name

The same sources make the same bytes: the files are those that git knows, in order, with the time of the last commit
(SOURCE_DATE_EPOCH, where that is set). A tree without git, such as an unpacked archive, is taken whole but for what is
built in it.
"""

import gzip
import io
import os
import subprocess
import tarfile
import time
import zipfile
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxRole

import sources

NAME = "iocp-step-by-step"
EARLIEST = 315532800  # 1980, where the times of a zip begin
BUILT = {"build", "exercises"}
CACHES = {"__pycache__", ".git", ".vs", ".vscode", ".idea", ".cache"}


def git(root, *words):
    """What git says, or nothing where there is no git, or where the tree is no repository of its own."""
    try:
        top = subprocess.run(["git", "-C", root, "rev-parse", "--show-toplevel"], capture_output=True, check=True)
        if Path(top.stdout.decode().strip()).resolve() != Path(root).resolve():
            return None
        return subprocess.run(["git", "-C", root, *words], capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


def files(root):
    known = git(root, "ls-files", "-z")
    if known is not None:
        names = [name for name in known.decode().split("\0") if name]
    else:
        names = []
        for folder, folders, found in os.walk(root):
            here = Path(folder).relative_to(root)
            folders[:] = [name for name in folders if name not in CACHES and not (here == Path() and name in BUILT)]
            names += [(here / name).as_posix() for name in found]
    return sorted(name for name in names if (Path(root) / name).is_file())


def moment(root):
    said = os.environ.get("SOURCE_DATE_EPOCH") or (git(root, "log", "-1", "--format=%ct") or b"").decode().strip()
    return max(int(said or EARLIEST), EARLIEST)


def contents(root):
    """(name, bytes, whether it is a program) of each file."""
    for name in files(root):
        path = Path(root) / name
        yield f"{NAME}/{name}", path.read_bytes(), os.access(path, os.X_OK)


def write_zip(root, path):
    when = time.gmtime(moment(root))[:6]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data, runs in contents(root):
            entry = zipfile.ZipInfo(name, when)
            entry.create_system, entry.compress_type = 3, zipfile.ZIP_DEFLATED  # Unix: it keeps what can be run
            entry.external_attr = (0o100755 if runs else 0o100644) << 16
            archive.writestr(entry, data)


def write_tar(root, path):
    when = moment(root)
    with open(path, "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=when) as packed, \
            tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data, runs in contents(root):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = len(data), when, 0o755 if runs else 0o644
            archive.addfile(entry, io.BytesIO(data))


WRITERS = {"zip": write_zip, "tar.gz": write_tar}


class Archive(SphinxRole):
    def run(self):
        if self.text not in WRITERS:
            self.inliner.reporter.error(f"archive: there is {' and '.join(WRITERS)}", line=self.lineno)
            return [nodes.Text(self.text)], []
        name = f"{NAME}.{self.text}"
        link = nodes.reference("", "", nodes.literal("", name), refuri="../" * self.env.docname.count("/") + name)
        link["book_archive"] = True
        return [link], []


def unlink_where_there_is_none(app, doctree, docname):
    if app.builder.name != "html":
        for link in list(doctree.findall(lambda node: isinstance(node, nodes.reference) and "book_archive" in node)):
            link.replace_self(link.children)


def write(app, exception):
    if not exception and app.builder.name == "html":
        for ending, writer in WRITERS.items():
            writer(sources.ROOT, Path(app.outdir) / f"{NAME}.{ending}")


def setup(app):
    app.add_role("archive", Archive())
    app.connect("doctree-resolved", unlink_where_there_is_none)
    app.connect("build-finished", write)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
