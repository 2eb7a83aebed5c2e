"""What a reader found so far, bounded; the same checks for every format.

In: entries with their line. Out: a Reading. Never: a name with control characters, or more entries
than the limit.
"""

import re
from typing import Final, NamedTuple

from cleanroom.lockfile.model import (
    LIMITS,
    Ecosystem,
    LockfileError,
    Pin,
    Reading,
    Strength,
    Unpinned,
)
from cleanroom.lockfile.names import is_pypi_plain, is_web, pypi_name, pypi_version
from cleanroom.lockfile.repositories import commit_in, repository_at, url_of, whole_commit

_WORD: Final = re.compile(r"[!-~]+")
_PYPI_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# Members of an enum are looked up slowly, and there are many pins.
_PYPI: Final = Ecosystem.PYPI
_FIRST_SEEN: Final = Strength.FIRST_SEEN
_WITHOUT_SECRET: Final = re.compile(r"//[^/@\s]*@")

NO_DIGEST: Final = "the lock file has no usable digest of it"
GIT: Final = "it comes from a git repository"
GIT_HELD: Final = "it comes from a git repository, which registries.git holds to its commit"
TARBALL: Final = "it is a tarball at an address of its own, without a digest"
LOCAL: Final = "it is a file or folder of the workspace"


class Entry(NamedTuple):
    """One entry of a lock file, and the line it stands on."""

    name: str
    version: str
    line: int = 1


class Held(NamedTuple):
    """What an entry can be held to, beside its name and version."""

    digests: tuple[str, ...] = ()
    file: str = ""
    url: str = ""
    strength: Strength = Strength.LOCKFILE


class Collector:
    """The pins and unpinned entries of one file."""

    def __init__(self, format_name: str, ecosystem: Ecosystem) -> None:
        self._format = format_name
        self._ecosystem = ecosystem
        self._pins: dict[tuple[object, ...], Pin] = {}  # an enum's hash is slow, so not by Pin
        self._unpinned: list[Unpinned] = []
        self.includes: list[str] = []

    def pin(self, entry: Entry, held: Held, missing: str = NO_DIGEST) -> None:
        """Note an artifact; without a digest it is not pinned, unless it is held first-seen."""
        if not held.digests and held.strength is Strength.LOCKFILE:
            self.unpinned(entry, missing)
            return
        _refuse_odd_words(entry, held)
        name, version = self._canonical(entry)
        url = held.url if is_web(held.url) else ""
        if "@" in url:
            url = _WITHOUT_SECRET.sub("//", url, count=1)
        is_first_seen = held.strength is _FIRST_SEEN
        digests = () if is_first_seen else held.digests
        line, file, strength = entry.line, held.file, held.strength
        key = (name, version, file, url, digests, line, is_first_seen)
        pin = Pin(self._ecosystem, name, version, file, url, digests, line, strength)
        self._pins.setdefault(key, pin)
        self._count(line)

    def unpinned(self, entry: Entry, reason: str, *, local: bool = False) -> None:
        """Note an entry that nothing holds. `local`: nothing is fetched for it."""
        name, version = self._canonical(entry)
        each = Unpinned(self._ecosystem, _shown(name), _shown(version), reason, entry.line, local)
        self._unpinned.append(each)
        self._count(entry.line)

    def commit(self, entry: Entry, address: str, commit: str = "") -> None:
        """Note a package of a git repository: of a registry's packages it is none.

        `commit`: its name, if it does not stand behind the address.
        """
        name, oid = repository_at(address), whole_commit(commit) or commit_in(address)
        if name and oid:
            digests = (f"git:{oid}",)
            pin = Pin(Ecosystem.GIT, name, oid, "", url_of(address), digests, entry.line)
            self._pins.setdefault((name, oid, entry.line), pin)
        self.unpinned(entry, GIT_HELD if name and oid else GIT)

    def reading(self, version: str) -> Reading:
        """Return all that was found."""
        pins, unpinned = tuple(self._pins.values()), tuple(self._unpinned)
        return Reading(self._format, version[:40], pins, unpinned, tuple(self.includes))

    def _canonical(self, entry: Entry) -> tuple[str, str]:
        name, version, _ = entry
        if self._ecosystem is not _PYPI or is_pypi_plain(name, version):
            return name, version
        if _PYPI_NAME.fullmatch(name):
            return pypi_name(name), pypi_version(version)
        return name, version

    def _count(self, line: int) -> None:
        if len(self._pins) + len(self._unpinned) > LIMITS.entries:
            message = f"cannot read it: it has more than {LIMITS.entries} entries"
            raise LockfileError(message, line)


def _refuse_odd_words(entry: Entry, held: Held) -> None:
    name, version, _ = entry
    together = f"{name}{version}{held.file}{held.url}"
    if name and version and len(together) <= LIMITS.word and _WORD.fullmatch(together):
        return
    for word in (name, version, *filter(None, (held.file, held.url))):
        if len(word) > LIMITS.word or not _WORD.fullmatch(word):
            message = f"cannot use {word[:40]!a}: it is no name, version or address"
            raise LockfileError(message, entry.line)


def _shown(text: str) -> str:
    text = _WITHOUT_SECRET.sub("//", text)
    short = text if len(text) <= 120 else f"{text[:120]}…"
    return short if short.isprintable() else ascii(short)
