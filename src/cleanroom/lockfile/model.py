"""What a lock file says: pins, and what it cannot pin.

In: nothing. Out: closed value types, and the one error of every reader. Never: an artifact that a
digest does not hold, unless its strength says so.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec


class Ecosystem(StrEnum):
    """Whose names a lock file uses. The words of `registries`, and mise's tools.

    Of GIT are repositories, "HOST/PATH", and their versions are commits.
    """

    NPM = "npm"
    PYPI = "pypi"
    CARGO = "cargo"
    GO = "go"
    GIT = "git"
    MISE = "mise"


class Strength(StrEnum):
    """How firmly a pin holds an artifact."""

    LOCKFILE = "lockfile"  # by digests that the lock file itself carries
    FIRST_SEEN = "first-seen"  # by name and version; then by the registry's digest, first seen


class Pin(msgspec.Struct, frozen=True, gc=False):  # many: a dataclass takes 20 times as long
    """One artifact that a lock file names. `name` is canonical in its ecosystem.

    `file` "" means any file of the version, `url` "" that the format has none. `digests` are
    "sha512:<hex>" (Go: "h1:<base64>"; git: "git:<commit>"); bytes are right if any of them matches.
    Lines start at 1.
    """

    ecosystem: Ecosystem
    name: str
    version: str
    file: str = ""
    url: str = ""
    digests: tuple[str, ...] = ()
    line: int = 1
    strength: Strength = Strength.LOCKFILE


@dataclass(frozen=True, slots=True)
class Unpinned:
    """An entry that nothing can be held to; `reason` completes "it is not pinned: …".

    `local`: nothing is fetched for it, so there is nothing to refuse.
    """

    ecosystem: Ecosystem
    name: str
    version: str
    reason: str
    line: int = 1
    local: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """A lock file, read. `version` is the format's own number, "" if it has none.

    `includes` are files it names that pin for it too (requirements: `-r`, `-c`), as written.
    """

    format: str
    version: str
    pins: tuple[Pin, ...]
    unpinned: tuple[Unpinned, ...] = ()
    includes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """What a lock file may cost: it is data of the repository, so hostile."""

    characters: int = 32 * 1024 * 1024
    depth: int = 64
    entries: int = 60_000  # pins and unpinned entries together
    nodes: int = 2_000_000  # values of YAML
    word: int = 4096  # characters of one name, version, file or address


LIMITS: Final = Limits()


class LockfileError(Exception):
    """A lock file cannot be read; `message` begins with "cannot". Lines and columns start at 1."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        # JSON can name a key by half of a character, which no line and no terminal can carry.
        message = message.encode("utf-8", "backslashreplace").decode()
        super().__init__(message)
        self.message: Final = message
        self.line: Final = line
        self.column: Final = column
