"""What the content cache is asked by and what it keeps.

In: nothing. Out: frozen values. Never: a digest as a key: what a private registry sent to one is
found by another only under the same host, path and identity.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Key:
    """Where something came from. `identity` says with whose credentials, "" with none.

    It is a digest of theirs; the store keys it before it writes it down. `form` tells apart what
    one URL answers to different `Accept` fields.
    """

    host: str
    path: str
    form: str = ""
    identity: str = ""


@dataclass(frozen=True, slots=True)
class Fields:
    """What the upstream said of it: kept, and sent again with it.

    `sender` is HOST/PATH that it really came from, if a redirect led there; "" if not.
    """

    content_type: str = ""
    etag: str = ""
    last_modified: str = ""
    sender: str = ""


@dataclass(frozen=True, slots=True)
class Digests:
    """One file's digests in hexadecimal, and its length."""

    sha256: str
    sha512: str
    sha1: str
    size: int

    def has_any(self, wanted: tuple[str, ...]) -> bool:
        """Tell whether one of `wanted` ("sha512:<hex>") is a digest of this file."""
        own = {f"sha256:{self.sha256}", f"sha512:{self.sha512}", f"sha1:{self.sha1}"}
        return not own.isdisjoint(wanted)


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the index: something is here, and this is what it is."""

    digests: Digests
    fields: Fields
    validated_s: int  # when the upstream last said that this is its answer


@dataclass(frozen=True, slots=True)
class Info:
    """What the cache holds."""

    entries: int
    blobs: int
    bytes: int
    limit: int


@dataclass(frozen=True, slots=True)
class Checked:
    """What a scrub found: how many blobs were right, which were damaged and are gone."""

    right: int
    damaged: tuple[str, ...]
