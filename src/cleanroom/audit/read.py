"""Lines of the audit log for people and programs, oldest first, while the daemon goes on writing.

In: a directory and what to look for. Out: whole lines as they stand in the file, one at a time.
Never: a half-written line, or the whole log in memory.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cleanroom.audit.record import has_seal
from cleanroom.audit.segments import lines, segments

_TIME: Final = re.compile(rb'\{"seq":[0-9]+,"time":"([^"]*)"')


@dataclass(frozen=True, slots=True)
class Filter:
    """What to look for; everything by default.

    `since` is RFC 3339 UTC with or without a fraction, or the beginning of one, such as a date.
    """

    run_id: str = ""
    sandbox_id: str = ""
    denied: bool = False
    since: str = ""


def read(directory: Path, wanted: Filter = Filter()) -> Iterator[bytes]:
    """Yield the matching lines without their newlines. Raises OSError if a file cannot be read."""
    needles = _needles(wanted)
    since = wanted.since.removesuffix("Z").encode("ascii")
    for segment in segments(directory):
        for line in _lines(segment.path):
            if all(needle in line for needle in needles) and _is_whole(line, since):
                yield line[:-1]


def _lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file, none if it was removed meanwhile."""
    try:
        yield from lines(path)
    except FileNotFoundError:
        return


def _needles(wanted: Filter) -> tuple[bytes, ...]:
    # Exact although it is a search of text: inside a JSON text a quotation mark is escaped, so
    # these bytes can only be a member of the line.
    needles = []
    if wanted.run_id:
        needles.append(f',"run_id":"{wanted.run_id}"')
    if wanted.sandbox_id:
        needles.append(f',"sandbox_id":"{wanted.sandbox_id}"')
    if wanted.denied:
        needles.append(',"allowed":false')
    return tuple(needle.encode("ascii") for needle in needles)


def _is_whole(line: bytes, since: bytes) -> bool:
    time = _TIME.match(line)
    return bool(time and time[1] >= since and line.endswith(b"\n") and has_seal(line[:-1]))
