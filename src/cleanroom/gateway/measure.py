"""Digests that are not of the bytes themselves: Go's "h1:" of a module, the kind of git's answer.

In: a body that is whole, and the SHA-256 of its bytes. Out: its digest, a turn at a time. Never: a
digest of a file that cannot be read as Go reads it; the text says so instead, and equals no pin.
"""

from collections import OrderedDict
from collections.abc import Callable, Generator
from typing import Final

from cleanroom.decide.artifact import Grant
from cleanroom.decide.gosum import ZipError, digest_of_mod, digest_of_zip
from cleanroom.decide.pack import what_came
from cleanroom.gateway.spool import Body

_REMEMBERED: Final = 20_000

Measure = Callable[[Body, str], Generator[None, None, str]]


class Measures:
    """The digests that were found, by the SHA-256 of the bytes: what is warm is not unpacked."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, str] = OrderedDict()

    def of(self, grant: Grant) -> Measure | None:
        """Return how an artifact is compared with its pins; None: by a digest of its bytes."""
        if grant.manager == "git":
            is_new = b"object-format=sha256" in grant.body
            algorithm = "sha256" if is_new else "sha1"
            return lambda body, _: what_came(body.read, body.size, algorithm)
        if not any(each.startswith("h1:") for each in grant.digests):
            return None
        return _measure_mod if grant.file.endswith(".mod") else self._measure_zip

    def _measure_zip(self, body: Body, sha256: str) -> Generator[None, None, str]:
        known = self._known.get(sha256)
        if known is not None:
            return known
        try:
            digest = yield from digest_of_zip(body.read, body.size)
        except ZipError as error:
            digest = f"no digest of Go's, since {error}"
        self._known[sha256] = digest
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return digest


def _measure_mod(_body: Body, sha256: str) -> Generator[None, None, str]:
    yield from ()
    return digest_of_mod(sha256)
