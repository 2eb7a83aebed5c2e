"""Digests that are not of the bytes themselves: Go's "h1:" of a module, what git's answer is.

In: a body that is whole, and the SHA-256 of its bytes. Out: its digest, a turn at a time. Never: a
digest of a file that cannot be read as Go reads it; the text says so instead, and equals no pin.
"""

import weakref
from collections import OrderedDict
from collections.abc import Callable, Generator
from typing import Final

from cleanroom.decide.artifact import Grant
from cleanroom.decide.gosum import ZipError, digest_of_mod, digest_of_zip
from cleanroom.decide.pack import what_came
from cleanroom.decide.upload_pack import asked_of
from cleanroom.gateway.spool import Body

_REMEMBERED: Final = 20_000

Again = Callable[[], None]
# What a measure yields when it cannot go on: whom to tell that it may.
Wait = Callable[[Again], None]
Turns = Generator[Wait | None, None, str]
Measure = Callable[[Body, str], Turns]


class _Turn:
    """Whose file is looked into now, of all that one sandbox waits for.

    SECURITY: to know what a pack or a zip file has in it takes up to a hundred megabytes.
    """

    def __init__(self) -> None:
        self.is_taken = False
        self._line: dict[Again, None] = {}

    def wait(self, again: Again) -> None:
        """Call when it is free."""
        self._line[again] = None

    def leave(self) -> None:
        """Let others have it."""
        self.is_taken = False
        line, self._line = self._line, {}
        for again in line:
            again()


class Measures:
    """The digests that were found, by the SHA-256 of the bytes: what is warm is not unpacked."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, str] = OrderedDict()
        self._turns: weakref.WeakValueDictionary[str, _Turn] = weakref.WeakValueDictionary()

    def of(self, grant: Grant, sandbox_id: str) -> Measure | None:
        """Return how an artifact is compared with its pins; None: by a digest of its bytes."""
        if grant.manager == "git":
            return lambda body, sha256: self._measure_git(grant, sandbox_id, body, sha256)
        if not any(each.startswith("h1:") for each in grant.digests):
            return None
        if grant.file.endswith(".mod"):
            return _measure_mod
        return lambda body, sha256: self._measure_zip(sandbox_id, body, sha256)

    def _measure_git(self, grant: Grant, sandbox_id: str, body: Body, sha256: str) -> Turns:
        asked = asked_of(grant)
        key = f"{sha256} {grant.form} {'held' if asked is not None else ''}"
        algorithm = "sha256" if b"object-format=sha256" in grant.body else "sha1"
        reading = what_came(body.read, body.size, algorithm, asked)
        # What is held to nothing is not looked into.
        turn = self._turn_of(sandbox_id) if asked is not None else _Turn()
        found = yield from self._in_turn(turn, key, reading)
        if found in grant.digests:  # what went wrong may go right the next time
            self._remember(key, found)
        return found

    def _measure_zip(self, sandbox_id: str, body: Body, sha256: str) -> Turns:
        reading = _digest_of_zip(body)
        digest = yield from self._in_turn(self._turn_of(sandbox_id), sha256, reading)
        self._remember(sha256, digest)
        return digest

    def _turn_of(self, sandbox_id: str) -> _Turn:
        return self._turns.setdefault(sandbox_id, _Turn())

    def _in_turn(self, turn: _Turn, key: str, reading: Generator[None, None, str]) -> Turns:
        """Return what is known by a key, or what is read when it is its turn."""
        while turn.is_taken and key not in self._known:
            yield turn.wait
        known = self._known.get(key)
        if known is not None:
            return known
        turn.is_taken = True
        try:
            return (yield from reading)
        finally:
            turn.leave()

    def _remember(self, key: str, digest: str) -> None:
        self._known[key] = digest
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)


def _digest_of_zip(body: Body) -> Generator[None, None, str]:
    try:
        return (yield from digest_of_zip(body.read, body.size))
    except ZipError as error:
        return f"no digest of Go's, since {error}"


def _measure_mod(_body: Body, sha256: str) -> Generator[None, None, str]:
    yield from ()
    return digest_of_mod(sha256)
