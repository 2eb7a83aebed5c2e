"""Which files of the audit log have outlived their bounds.

In: a directory, bounds, a time. Out: the oldest files, and the line up to which the log would be
gone. Never: the newest file, a gap between those that stay, a removal done here.
"""

from dataclasses import dataclass
from pathlib import Path

from cleanroom.audit.record import unseal
from cleanroom.audit.segments import Head, Segment, lines, segments

WEEK_S = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Keep:
    """How much of the log stays. A file is ended after `file_age_s`, for files go as a whole."""

    size: int
    age_s: float
    file_age_s: float = WEEK_S


@dataclass(frozen=True, slots=True)
class Outlived:
    """Files to remove, oldest first, and their last line: None if that is the newest of all."""

    files: tuple[Path, ...] = ()
    last: Head | None = None


def began_before(path: Path, time: str) -> bool:
    """Tell whether a file's first line is older than this time, RFC 3339 as the log writes it."""
    first = unseal(next(lines(path), b"").rstrip(b"\n"))
    return first is not None and str(first.members.get("time", time)) < time


def outlived(directory: Path, keep: Keep, now: float) -> Outlived:
    """Return what is beyond the bounds. Raises OSError."""
    found = segments(directory)
    status = {segment: segment.path.stat() for segment in found}
    total = sum(each.st_size for each in status.values())
    old: list[Segment] = []
    for segment in found[:-1]:
        if total <= keep.size and status[segment].st_mtime >= now - keep.age_s:
            break
        total -= status[segment].st_size
        old.append(segment)
    if not old:
        return Outlived()
    files = tuple(segment.path for segment in old)
    return _before(found[len(old)], files)


def _before(kept: Segment, files: tuple[Path, ...]) -> Outlived:
    """Return these files with their last line, which the first one kept was written after."""
    line = next(lines(kept.path), b"")
    if not line:
        return Outlived(files)
    first = unseal(line.rstrip(b"\n"))
    if first is None:  # it begins with what a killed writer left: `verify` needs the files before
        return Outlived()
    return Outlived(files, Head(first.seq - 1, first.prev))
