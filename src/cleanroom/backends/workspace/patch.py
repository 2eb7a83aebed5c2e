"""A change set as text: a unified diff that `git apply` takes, and a summary.

In: the folder of a sandbox. Out: text. Never: bytes that are no text: other files come as git's
binary patches, and those that are too long are named in a line that git passes over.
"""

import base64
import difflib
import hashlib
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cleanroom.backends.workspace.changes import Change, change_set
from cleanroom.backends.workspace.sources import Sources, open_sources, read_file, read_link

MAX_FILE_BYTES: Final = 1024 * 1024
# difflib compares every line with every line where much changed; beyond this the middle is
# replaced whole, which is longer and as right.
MAX_COMPARED_LINES: Final = 4000
_BINARY_LINE: Final = 52  # bytes; a letter says how many: A-Z, then a-z
_LETTERS: Final = 26


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
    before = b"" if change.kind == "added" else _content(sources.root, change)
    after = b"" if change.kind == "deleted" else _content(sources.upper, change)
    if before is None or after is None:
        yield f"# not shown: {_quoted(change.path)} ({change.kind}) is too long\n"
        return
    old, new = _quoted(f"a/{change.path}"), _quoted(f"b/{change.path}")
    yield f"diff --git {old} {new}\n"
    yield from _modes(sources, change)
    if before == after:
        return
    texts = _text(before), _text(after)
    if texts[0] is None or texts[1] is None:
        yield from _binary(change.kind, before, after)
    else:
        yield f"--- {'/dev/null' if change.kind == 'added' else old}\n"
        yield f"+++ {'/dev/null' if change.kind == 'deleted' else new}\n"
        yield from _hunks(_lines(texts[0]), _lines(texts[1]))


def _content(top: int, change: Change) -> bytes | None:
    """The content; None if it is too long. A link's content is where it points."""
    if change.type != "link":
        return read_file(top, change.path, MAX_FILE_BYTES)
    target = read_link(top, change.path)
    return None if target is None else os.fsencode(target)


def _binary(kind: str, before: bytes, after: bytes) -> Iterator[str]:
    """As `git diff --binary --full-index` writes it: both names by hash, then both contents."""
    nothing = "0" * 40
    old = nothing if kind == "added" else _blob(before)
    new = nothing if kind == "deleted" else _blob(after)
    yield f"index {old}..{new}\nGIT binary patch\n"
    for content in (after, before):  # the second is for `git apply --reverse`
        yield f"literal {len(content)}\n"
        packed = zlib.compress(content)
        for at in range(0, len(packed), _BINARY_LINE):
            line = packed[at : at + _BINARY_LINE]
            count = len(line)
            length = chr(ord("A") + count - 1) if count <= _LETTERS else chr(ord("a") + count - 27)
            yield f"{length}{base64.b85encode(line, pad=True).decode()}\n"
        yield "\n"


def _blob(content: bytes) -> str:
    """The name that git gives to this content, where it counts in SHA-1."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _text(data: bytes) -> str | None:
    """The same as text; None if it is none."""
    if b"\0" in data:
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
