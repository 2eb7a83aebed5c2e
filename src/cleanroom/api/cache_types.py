"""Messages about the content cache, and what lock files pin of it.

In: JSON, unknown fields refused. Out: frozen Structs; sizes are bytes. Never: a path of a blob.
"""

from typing import Annotated

from msgspec import Meta

from cleanroom.api.message import Message


class CacheInfo(Message, frozen=True):
    """What the cache holds. `files` have different bytes; several `entries` may lead to one.

    `git_bytes`: how much of `bytes` are packs and branches of git repositories.
    """

    folder: str
    entries: int
    files: int
    bytes: int
    git_bytes: int
    limit: int


class CacheUse(Message, frozen=True):
    """What registries answered while a run was under way: pages and packages together.

    `stale`: kept, and the upstream was down. `saved_bytes` did not have to be fetched again.
    """

    hits: int = 0
    misses: int = 0
    stale: int = 0
    saved_bytes: int = 0
    fetched_bytes: int = 0


class CacheVerification(Message, frozen=True):
    """Every file was read. Those that were damaged are gone, and fetched anew when asked for."""

    right: int
    damaged: list[str]  # SHA-256, in hexadecimal


class CachePruning(Message, frozen=True):
    """Remove the longest unused files until no more than this is left; None: the limit."""

    keep_bytes: Annotated[int, Meta(ge=0, le=2**53)] | None = None


class CachePruned(Message, frozen=True):
    """How much went, and what is left."""

    removed_bytes: int
    left: CacheInfo


class PinnedArtifact(Message, frozen=True):
    """One artifact that lock files pin; `file` and `url` are "" where they name none."""

    name: str
    version: str
    file: str
    url: str
    digests: list[str]


class PinnedRegistry(Message, frozen=True):
    """One enabled registry with all that lock files pin of it. `held`: nothing else is had."""

    manager: str
    hosts: list[str]
    artifacts: list[PinnedArtifact]
    held: bool


class PinnedArtifacts(Message, frozen=True):
    """What a policy's lock files pin, registry by registry."""

    registries: list[PinnedRegistry]
