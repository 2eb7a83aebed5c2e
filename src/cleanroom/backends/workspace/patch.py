"""A change set as text: a unified diff that `git apply` takes, and a summary.

In: the folder of a sandbox. Out: text. Never: bytes that are no text; binary, large and undecodable
files are named in a line that git passes over.
"""

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cleanroom.backends.workspace.changes import Change, change_set
from cleanroom.backends.workspace.sources import Sources, open_sources, read_file, read_link

MAX_FILE_BYTES: Final = 1024 * 1024
# difflib compares every line with every line where much changed; beyond this the middle is
# replaced whole, which is longer and as right.
MAX_COMPARED_LINES: Final = 4000


def patch(folder: Path) -> str:
    """All changes that count. Raises Fault(internal)."""
    changes = change_set(folder).changes
    with open_sources(folder) as sources:
        return "".join(text for change in changes for text in _file_patch(sources, change))


def stat(changes: tuple[Change, ...]) -> str:
    """One line a change: its kind, its new size, its path."""
    letters = {"added": "A", "modified": "M", "deleted": "D", "mode": "P"}
    return "".join(
        f"{letters[change.kind]} {change.size:>10} {_quoted(change.path)}\n" for change in changes
    )


def _file_patch(sources: Sources, change: Change) -> Iterator[str]:
    if change.type == "folder":
        return
    before = "" if change.kind == "added" else _text(sources.root, change)
    after = "" if change.kind == "deleted" else _text(sources.upper, change)
    if before is None or after is None:
        yield f"# not shown: {_quoted(change.path)} ({change.kind}) is not text, or too long\n"
        return
    old, new = _quoted(f"a/{change.path}"), _quoted(f"b/{change.path}")
    yield f"diff --git {old} {new}\n"
    yield from _modes(sources, change)
    if before != after:
        yield f"--- {'/dev/null' if change.kind == 'added' else old}\n"
        yield f"+++ {'/dev/null' if change.kind == 'deleted' else new}\n"
        yield from _hunks(_lines(before), _lines(after))


def _text(top: int, change: Change) -> str | None:
    """The content as text; None if it is none. A link's content is where it points."""
    if change.type == "link":
        return read_link(top, change.path)
    data = read_file(top, change.path, MAX_FILE_BYTES)
    if data is None or b"\0" in data:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _modes(sources: Sources, change: Change) -> Iterator[str]:
    mode = "120000" if change.type == "link" else f"100{755 if change.mode & 0o111 else 644}"
    if change.kind == "added":
        yield f"new file mode {mode}\n"
    elif change.kind == "deleted":
        before = _mode_before(sources, change)
        yield f"deleted file mode {before}\n"
    else:
        before = _mode_before(sources, change)
        if before != mode:
            yield f"old mode {before}\nnew mode {mode}\n"


def _mode_before(sources: Sources, change: Change) -> str:
    if change.type == "link":
        return "120000"
    executable = (Path(sources.saved.host_path) / change.path).lstat().st_mode & 0o111
    return f"100{755 if executable else 644}"


def _lines(text: str) -> list[str]:
    """Lines with their ends; only a newline ends one."""
    lines = text.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _hunks(before: list[str], after: list[str]) -> Iterator[str]:
    for line in _unified(before, after):
        yield line
        if not line.endswith("\n"):
            yield "\n\\ No newline at end of file\n"


def _unified(before: list[str], after: list[str]) -> Iterator[str]:
    if len(before) + len(after) <= MAX_COMPARED_LINES or not before or not after:
        lines = difflib.unified_diff(before, after, n=3)
        next(lines)  # the two lines that name the files are written with git's quoting
        next(lines)
        yield from lines
        return
    yield f"@@ -1,{len(before)} +1,{len(after)} @@\n"
    yield from (f"-{line}" for line in before)
    yield from (f"+{line}" for line in after)


def _quoted(path: str) -> str:
    """A path as git writes it: quoted like C if it holds a quote or a control character."""
    if not any(char in '"\\' or ord(char) < 32 or ord(char) == 127 for char in path):
        return path
    named = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}
    body = "".join(
        named.get(char, f"\\{ord(char):03o}" if ord(char) < 32 or ord(char) == 127 else char)
        for char in path
    )
    return f'"{body}"'
