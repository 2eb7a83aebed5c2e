"""What files of the host were before a sandbox changed them, so that both sides can be merged.

In: the folder of a sandbox, its changes. Out: Original. Never: a version that the sandbox did not
begin with: a copy is taken only while the host's file is provably the one that it saw (judge.py).
"""

import hashlib
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cleanroom.backends.workspace.applied import Marks, marks_of
from cleanroom.backends.workspace.changes import Change
from cleanroom.backends.workspace.folders import opened, read_plain
from cleanroom.backends.workspace.sources import Sources, open_file, open_sources

MAX_BYTES: Final = 1 << 20  # of one file; what is longer is seldom merged by hand
MOST_FILES: Final = 1000
MOST_BYTES: Final = 64 << 20
MERGED: Final = 0  # instead of a ctime: the sandbox's own version, which was merged
_HEAD: Final = 64


@dataclass(frozen=True, slots=True)
class Original:
    """A version that both sides had; `ctime_ns` is that of the host's file, or MERGED."""

    content: bytes
    mode: int
    ctime_ns: int


def keep_originals(folder: Path, changes: Iterable[Change]) -> None:
    """Keep what these began as, where it is still there. Raises Fault, OSError."""
    files = [each for each in changes if each.kind in ("modified", "mode") and each.type == "file"]
    if not files:
        return
    with open_sources(folder) as sources:
        place = _folder(folder)
        place.mkdir(mode=0o700, exist_ok=True)
        sizes = [each.stat().st_size for each in place.iterdir()]
        files_left, bytes_left = MOST_FILES - len(sizes), MOST_BYTES - sum(sizes)
        marks = marks_of(sources.places)
        for change in files:
            if files_left <= 0 or bytes_left <= 0:
                return
            size = _keep(sources, change.path, marks)
            files_left -= size > 0
            bytes_left -= size


def original_of(folder: Path, path: str, marks: Marks, started_ns: int) -> Original | None:
    """Return what both sides began with at `path`, if that is known for sure."""
    data = read_plain(str(_file(folder, path)), MAX_BYTES + _HEAD)
    if data is None:
        return None
    head, _, content = data.partition(b"\n")
    ctime_ns, mode = map(int, head.split())
    mark = marks.get(path)
    if mark is None:
        known = MERGED < ctime_ns <= started_ns
    else:
        known = ctime_ns == (mark if isinstance(mark, int) else MERGED)
    return Original(content, mode, ctime_ns) if known else None


def is_kept(folder: Path, path: str) -> bool:
    """Whether the host had a file at `path` once that the sandbox changed."""
    return _file(folder, path).exists()


def put_original(folder: Path, path: str, original: Original) -> None:
    """Keep it, whole or not at all."""
    place = _file(folder, path)
    place.parent.mkdir(mode=0o700, exist_ok=True)
    draft = place.with_suffix(f".{secrets.token_hex(4)}")
    draft.write_bytes(b"%d %d\n" % (original.ctime_ns, original.mode) + original.content)
    draft.rename(place)


def drop_original(folder: Path, path: str) -> None:
    """Forget it: the sandbox's deletion of `path` was brought out."""
    _file(folder, path).unlink(missing_ok=True)


def is_text(data: bytes) -> bool:
    """Whether lines of it can be merged; git would say the same of its beginning."""
    return b"\0" not in data


def _keep(sources: Sources, path: str, marks: Marks) -> int:
    """Keep one; return how many bytes that took, 0 if there is nothing to keep."""
    fd = open_file(sources.root, path)
    if fd is None:
        return 0
    with opened(fd):
        facts = os.fstat(fd)
        is_old = facts.st_ctime_ns <= sources.saved.started_ns
        if facts.st_size > MAX_BYTES or not (is_old or marks.get(path) == facts.st_ctime_ns):
            return 0
        folder = sources.places.folder
        known = original_of(folder, path, marks, sources.saved.started_ns)
        if known is not None and known.ctime_ns == facts.st_ctime_ns:
            return 0
        data = os.pread(fd, MAX_BYTES + 1, 0)
        if os.fstat(fd).st_ctime_ns != facts.st_ctime_ns or not is_text(data):
            return 0
        put_original(folder, path, Original(data, facts.st_mode & 0o777, facts.st_ctime_ns))
        return len(data) + 1


def _folder(folder: Path) -> Path:
    return folder / "originals"


def _file(folder: Path, path: str) -> Path:
    return _folder(folder) / hashlib.sha256(path.encode()).hexdigest()
