"""Does the chain of the audit log hold?

In: a directory, and a line that somebody saw acknowledged, if they kept it. Out: Verification.
Never: a repair. The chain has no key: it shows edits, removals and reordering by whoever does not
rewrite everything that follows; a kept Head shows that too, and lines cut off at the end.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from cleanroom.audit.record import Kind, Sealed, has_seal, unseal
from cleanroom.audit.segments import Head, Segment, lines, segments


@dataclass(frozen=True, slots=True)
class Verification:
    """`lines` good ones, up to the end or the first bad place ("FILE:LINE", with the reason)."""

    ok: bool
    lines: int
    head: Head
    place: str = ""
    reason: str = ""


class _BrokenError(Exception):
    """The chain ends here, or at a place seen earlier."""

    def __init__(self, reason: str, place: str = "") -> None:
        super().__init__(reason)
        self.place = place


def verify(directory: Path, kept: Head | None = None) -> Verification:
    """Check every line. Raises OSError if a file cannot be read."""
    while True:
        found = segments(directory)
        try:
            return _verify(directory, found, kept)
        except FileNotFoundError:
            if found == segments(directory):
                raise  # not a file that the daemon removed meanwhile


def _verify(directory: Path, found: tuple[Segment, ...], kept: Head | None) -> Verification:
    chain = _Chain(kept)
    place = str(directory)
    try:
        for segment in found:
            chain.enter(segment)
            for number, line in enumerate(lines(segment.path), start=1):
                place = f"{segment.path.name}:{number}"
                chain.add(line)
        chain.finish()
    except _BrokenError as broken:
        place = broken.place or place
        return Verification(
            ok=False, lines=chain.count, head=chain.head, place=place, reason=str(broken)
        )
    return Verification(ok=True, lines=chain.count, head=chain.head)


class _Chain:
    """What is known after each line."""

    def __init__(self, kept: Head | None) -> None:
        self.count = 0
        self.head = Head()
        self._kept = kept
        self._torn = bytearray()
        self._segment: Segment | None = None
        self._before: Head | None = None  # what was removed before the first line there is
        self._began = ""

    def enter(self, segment: Segment) -> None:
        """Begin a file: it goes on exactly where the one before ended."""
        if self._torn:
            message = "the file before it ends within a line"
            raise _BrokenError(message)
        self._segment = segment

    def add(self, line: bytes) -> None:
        """Take the next line, with its newline."""
        sealed = unseal(line[:-1]) if line.endswith(b"\n") else None
        if sealed is not None:
            self._accept(sealed)
        elif line.endswith(b"\n") and has_seal(line[:-1]):
            message = "the line was changed: its hash does not match"
            raise _BrokenError(message)
        else:
            self._torn += line

    def finish(self) -> None:
        """End the last file: an unfinished line may be the writer's, at work just now."""
        if self._torn.endswith(b"\n"):
            message = "the log ends in bytes that are no line"
            raise _BrokenError(message)
        if self._before is not None:
            message = f"lines 1 to {self._before.seq} are missing before it"
            raise _BrokenError(message, self._began)
        if self._kept is not None and self._kept.seq > self.head.seq:
            message = f"lines {self.head.seq + 1} to {self._kept.seq} were cut off"
            raise _BrokenError(message)

    def _accept(self, line: Sealed) -> None:
        self._check_torn(line)
        expected = self.head.seq + 1
        if line.seq > expected and self._begins_here(line):
            self.head = self._before = Head(line.seq - 1, line.prev)
        elif line.seq > expected:
            message = f"lines {expected} to {line.seq - 1} are missing before it"
            raise _BrokenError(message)
        if line.seq < expected:
            message = f"line {line.seq} stands where line {expected} belongs"
            raise _BrokenError(message)
        if line.prev != self.head.hash:
            message = "the line before it is not the one it was written after"
            raise _BrokenError(message)
        self._check_name_and_kept(line)
        self.head = Head(line.seq, line.hash)
        self.count += 1
        if self._before is not None and line.members.get("type") == Kind.PRUNED:
            self._check_pruned(line, self._before)

    def _begins_here(self, line: Sealed) -> bool:
        """Whether this is the first line there is, in a file that says so: others may be gone."""
        segment = self._segment
        if self.count or segment is None or segment.first_seq != line.seq:
            return False
        self._began = f"{segment.path.name}:1"
        return True

    def _check_pruned(self, line: Sealed, before: Head) -> None:
        """The daemon's own removal: up to this line, or, if it was killed at it, not so far."""
        seq, digest = line.members.get("pruned_to"), line.members.get("pruned_hash")
        if type(seq) is int and (seq > before.seq or (seq, digest) == (before.seq, before.hash)):
            self._before = None

    def _check_name_and_kept(self, line: Sealed) -> None:
        segment, self._segment = self._segment, None
        if segment is not None and segment.first_seq != line.seq:
            message = f"the file's name does not say {line.seq}, the number of its first line"
            raise _BrokenError(message)
        if self._kept is not None and self._kept.seq == line.seq and self._kept.hash != line.hash:
            message = "the line is not the one that was acknowledged: the log was written anew"
            raise _BrokenError(message)

    def _check_torn(self, line: Sealed) -> None:
        """Bytes that are no line are ours only if the next line says what they were."""
        recovered = line.members.get("type") == Kind.RECOVERED
        if recovered or self._torn:
            said = (line.members.get("torn_bytes"), line.members.get("torn_sha256"))
            seen = (len(self._torn), hashlib.sha256(self._torn).hexdigest())
            if not recovered or said != seen:
                message = "bytes before it are not the unfinished line that was recovered"
                raise _BrokenError(message)
            self._torn = bytearray()
