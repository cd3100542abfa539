"""The line of a program that a record of its trace comes from. Knows nothing of Sphinx.

The watch records calls, not lines. But a program makes nearly every call in one place, and that is looked up in its
sources as they stand, so the line is right whatever is written above it. Where there are several places a page says which.
"""

import re

import run_trace
import sources

# Records that do not name their call.
CALLS = {"packet": "GetQueuedCompletionStatus", "result": "WSAGetOverlappedResult", "cancel": "CancelIoEx",
         "associate": "CreateIoCompletionPort", "skip_mode": "SetFileCompletionNotificationModes",
         "post": "PostQueuedCompletionStatus"}
COMMENT = re.compile(r"//.*")


def call_of(record):
    """The call that a record tells of; nothing for what clients do."""
    return CALLS.get(record["event"]) or record.get("call")


def files(number, root=sources.ROOT):
    """(the files of a chapter, those of common/ that they use)."""
    own = sources.reading_order(f"chapters/{sources.folders(root)[number]}", root)
    used, left = [], list(own)
    while left:
        text = (root / left.pop()).read_text(encoding="utf-8")
        for name in sources.LOCAL_INCLUDE.findall(text):
            if name.startswith("common/"):
                for path in (name, name.removesuffix(".hpp") + ".cpp"):
                    if path not in used and (root / path).exists():
                        used.append(path)
                        left.append(path)
    return own, used


def places(path, record, root=sources.ROOT):
    """The numbers of the lines that make the record's call."""
    call = re.compile(rf"(?:::|\.|->){call_of(record)}\s*\(")
    lines = [COMMENT.sub("", line) for line in (root / path).read_text(encoding="utf-8").splitlines()]
    found = [number for number, line in enumerate(lines, 1) if call.search(line)]
    if record["event"] == "associate":  # the other use of this call makes a port
        found = [number for number in found if "INVALID_HANDLE_VALUE" not in lines[number - 1]]
    return found


def line_of(number, record, regions=None, root=sources.ROOT):
    """(path, number of the line) for a record of a chapter's trace; nothing where no line of the program runs.

    regions: from a call that is made in several places to the region in which the record's one stands.
    """
    call = call_of(record)
    if call is None:
        return None
    for group in files(number, root):
        found = [(path, line) for path in group for line in places(path, record, root)]
        if len(found) > 1 and call in (regions or {}):
            found = [(path, line) for path, line in found if line in
                     {numbered for numbered, _ in sources.region_lines(path, root).get(regions[call], [])}]
            if not found:
                raise run_trace.Mistake(f"{call} is not called in a region [{regions[call]}]")
        if len(found) > 1:
            where = ", ".join(f"{path}:{line}" for path, line in found)
            raise run_trace.Mistake(f"{call} is called in several places; say in which region: {where}")
        if found:
            return found[0]
    raise run_trace.Mistake(f"chapter {number} does not call {call}")
