"""What stands before the pack in a push to a git repository: which refs are to be changed.

In: the body of a request to git-receive-pack, in pieces. Out: Commands | NoCommands. Never: a line
that two readers could understand differently; more than MAX_SIZE bytes.
"""

import re
from dataclasses import dataclass
from itertools import dropwhile
from typing import Final

from cleanroom.decide.packets import read_length

MAX_SIZE: Final = 64 * 1024  # bytes
MAX_COMMANDS: Final = 64
_MAX_LINES: Final = 4 * MAX_COMMANDS  # with those of a shallow copy

_OID: Final = rb"[0-9a-f]{40}|[0-9a-f]{64}"
_COMMAND: Final = re.compile(rb"(%b) (%b) ([\x21-\x7e]{1,512})" % (_OID, _OID))
_SHALLOW: Final = re.compile(rb"shallow (?:%b)\n?" % _OID)
# SECURITY: a blank stands between any two words, so a text has one reading, and is read once.
_SAID: Final = re.compile(rb"(?: ?[\x21-\x7e]{1,1024}(?: [\x21-\x7e]{1,1024}){0,63})?")
_LONG: Final = f"it has more than {MAX_COMMANDS} refs, or is too long"


@dataclass(frozen=True, slots=True)
class Command:
    """One ref that is to be changed."""

    old: str
    new: str
    ref: str

    @property
    def creates(self) -> bool:
        """Whether the ref is said not to be there yet."""
        return not self.old.strip("0")

    @property
    def deletes(self) -> bool:
        """Whether the ref is to be there no more."""
        return not self.new.strip("0")


@dataclass(frozen=True, slots=True)
class Commands:
    """All of a push's commands; none where git only asks whether it may (`0000`).

    `able`: what the client says that it can, and wants. `size`: in bytes; the pack follows.
    """

    commands: tuple[Command, ...]
    able: frozenset[str]
    size: int

    @property
    def has_pack(self) -> bool:
        """Whether a pack belongs to it: it does to everything but mere deletions."""
        return not all(command.deletes for command in self.commands)


@dataclass(frozen=True, slots=True)
class NoCommands:
    """They are not beyond doubt what a push begins with: a phrase says why."""

    why: str


class CommandReader:
    """Reads them as they come."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._lines: list[bytes] = []
        self._at = 0  # behind the last line that is whole

    def feed(self, data: bytes) -> Commands | NoCommands | None:
        """Take a piece; None: more is needed."""
        self._data += data
        while len(self._data) >= self._at + 4:
            length = read_length(bytes(self._data[self._at : self._at + 4]))
            end = self._at + length
            if length == 0:
                return _read(self._lines, self._at + 4)
            if length < 5:
                return NoCommands("it is not written in git's packets")
            if end > MAX_SIZE or len(self._lines) >= _MAX_LINES:
                return NoCommands(_LONG)
            if len(self._data) < end:
                return None
            self._lines.append(bytes(self._data[self._at + 4 : end]))
            self._at = end
        return None


def _read(lines: list[bytes], size: int) -> Commands | NoCommands:
    rest = list(dropwhile(_SHALLOW.fullmatch, lines))
    if not rest:
        # A copy's borders alone would be something that nobody asks for.
        return NoCommands("it changes nothing") if lines else Commands((), frozenset(), size)
    first, _, said = rest[0].partition(b"\0")
    said = said.removesuffix(b"\n")
    texts = [each.removesuffix(b"\n") for each in (first, *rest[1:])]
    found = [_COMMAND.fullmatch(text) for text in texts]
    if None in found or not _SAID.fullmatch(said):
        return NoCommands("it has a line that a push of branches does not need")
    commands = tuple(Command(*(part.decode() for part in each.groups())) for each in found if each)
    why = _why_unsound(commands)
    if why:
        return NoCommands(why)
    return Commands(commands, frozenset(said.decode("ascii").split()), size)


def _why_unsound(commands: tuple[Command, ...]) -> str:
    if len(commands) > MAX_COMMANDS:
        return _LONG
    if len({len(oid) for command in commands for oid in (command.old, command.new)}) != 1:
        return "it has ids of two kinds"
    if any(command.creates and command.deletes for command in commands):
        return "it changes a ref from nothing to nothing"
    # Some servers keep refs in files whose names have no case.
    if len({command.ref.lower() for command in commands}) != len(commands):
        return "it changes a ref twice"
    return ""
