"""Between the daemon and the process that reads lock files: texts one way, lines of JSON back.

In: texts or outcomes; or the lines of a process that read hostile texts. Out: bytes; or texts,
outcomes, WireError. Never: an outcome of a file that was not asked for; more entries of one than a
reader may find.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

import msgspec

from cleanroom.lockfile.model import LIMITS, LockfileError, Pin, Reading, Unpinned

Outcome = Reading | LockfileError

OUT_OF_MEMORY: Final = 3  # the reader's exit status
_ENTRIES: Final = 2000  # of one line: what decodes it has others wait so long


class WireError(Exception):
    """The lines are not what a reader writes."""


class Line(msgspec.Struct, frozen=True, tag_field="type", tag=True, forbid_unknown_fields=True):
    """Base of every line."""


class Begun(Line, frozen=True):
    """The next lines are about this file."""

    path: str


class Entries(Line, frozen=True):
    """Some of what it holds."""

    pins: tuple[Pin, ...] = ()
    unpinned: tuple[Unpinned, ...] = ()


class Done(Line, frozen=True):
    """That was all of it."""

    format: str
    version: str
    includes: tuple[str, ...]


class Wrong(Line, frozen=True):
    """It cannot be read."""

    message: str
    line: int
    column: int


_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final[msgspec.json.Decoder[Begun | Entries | Done | Wrong]] = msgspec.json.Decoder(
    Begun | Entries | Done | Wrong
)


def pack(texts: Mapping[str, str]) -> bytes:
    """Return the texts as the reader gets them: a line of their paths and lengths, then they."""
    named = [(path, text.encode("utf-8", "surrogatepass")) for path, text in texts.items()]
    head = _ENCODER.encode([(path, len(data)) for path, data in named])
    return b"".join((head, b"\n", *(data for _, data in named)))


def unpack(data: bytes) -> dict[str, str]:
    """Return the texts by path."""
    end, view = data.index(b"\n"), memoryview(data)  # of views: nothing is copied
    at, texts = end + 1, {}
    for path, size in msgspec.json.decode(view[:end], type=list[tuple[str, int]]):
        texts[path] = str(view[at : at + size], "utf-8", "surrogatepass")
        at += size
    return texts


def begin(path: str) -> bytes:
    """Return the line that a file is read from now on."""
    return _line(Begun(path))


def encode(outcome: Outcome) -> Iterator[bytes]:
    """Yield the lines that follow."""
    if isinstance(outcome, LockfileError):
        yield _line(Wrong(outcome.message, outcome.line, outcome.column))
        return
    for start in range(0, len(outcome.pins), _ENTRIES):
        yield _line(Entries(pins=outcome.pins[start : start + _ENTRIES]))
    for start in range(0, len(outcome.unpinned), _ENTRIES):
        yield _line(Entries(unpinned=outcome.unpinned[start : start + _ENTRIES]))
    yield _line(Done(outcome.format, outcome.version, outcome.includes))


def _line(line: Line) -> bytes:
    return _ENCODER.encode(line) + b"\n"


class Outcomes:
    """The outcomes of some files, as their lines come."""

    def __init__(self, paths: Collection[str]) -> None:
        self._missing = set(paths)
        self.reading = ""  # the file whose lines come now
        self._pins: list[Pin] = []
        self._unpinned: list[Unpinned] = []
        self.found: dict[str, Outcome] = {}

    def take(self, lines: Iterable[bytes]) -> None:
        """Take more lines, whole ones. Raises WireError."""
        try:
            for line in lines:
                self._take(_DECODER.decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise WireError(str(error)) from error

    def fail(self, message: str) -> None:
        """Say of the file that was being read why it was not, and of all after it that it was."""
        for path in self._missing:
            self.found[path] = LockfileError("cannot read it: another one was given up")
        if self.reading:
            self.found[self.reading] = LockfileError(message)

    @property
    def is_whole(self) -> bool:
        """Whether every file has its outcome."""
        return not self._missing and not self.reading

    def _take(self, line: Begun | Entries | Done | Wrong) -> None:
        if isinstance(line, Begun):
            if self.reading or line.path not in self._missing:
                message = "a file that was not asked for, or twice"
                raise WireError(message)
            self._missing.discard(line.path)
            self.reading = line.path
        elif not self.reading:
            message = "an outcome of no file"
            raise WireError(message)
        elif isinstance(line, Entries):
            self._pins += line.pins
            self._unpinned += line.unpinned
            if len(self._pins) + len(self._unpinned) > LIMITS.entries:
                message = "more entries than a file may have"
                raise WireError(message)
        elif isinstance(line, Wrong):
            self._finish(LockfileError(line.message, line.line, line.column))
        else:
            pins, unpinned = tuple(self._pins), tuple(self._unpinned)
            self._finish(Reading(line.format, line.version, pins, unpinned, line.includes))

    def _finish(self, outcome: Outcome) -> None:
        self.found[self.reading] = outcome
        self.reading = ""
        self._pins, self._unpinned = [], []
