"""One artifact that may be fetched: the value that a compiled policy has most of.

In: nothing. Out: ArtifactPin. Never: two pins that differ only in where they were read.
"""

import msgspec


class ArtifactPin(msgspec.Struct, frozen=True, gc=False, eq=False):  # many, as lock files' own
    """One artifact that may be fetched, as the lock files pin it.

    `name` is canonical (npm as written, PyPI by PEP 503), `file` "" means any file of the version,
    `url` "" that no lock file names one. Bytes are right if any of `digests` ("sha512:<hex>", Go's
    "h1:<base64>") matches; there are none under strength "first-seen".
    """

    name: str
    version: str
    file: str = ""
    url: str = ""
    digests: tuple[str, ...] = ()
    strength: str = "lockfile"
    source: str = ""  # "package-lock.json:12"; no part of what it means

    @property
    def meaning(self) -> tuple[str, str, str, str, tuple[str, ...], str]:
        """What equal pins share, wherever they were read."""
        return self.name, self.version, self.file, self.url, self.digests, self.strength

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArtifactPin) and self.meaning == other.meaning

    def __hash__(self) -> int:
        return hash(self.meaning)
