"""Sockets of the host below folders that are bound: each is covered with an empty file.

In: a SandboxSpec, the kernel's table of unix sockets. Out: the same spec with covers. Never: a path
that is no socket now (the table also names what other mount namespaces call so).

A bind shows the host's own inodes, and connecting is no write: a read-only /usr would let a sandbox
reach whoever listens there. Overlays have inodes of their own and need no cover.
"""

import dataclasses
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cleanroom.errors import Code, Refused
from cleanroom.sandbox.spec import Bind, File, SandboxSpec

MAX_COVERS: Final = 16  # each takes a descriptor at the start
_TABLE: Final = Path("/proc/net/unix")


def cover_sockets(spec: SandboxSpec, table: Path = _TABLE) -> SandboxSpec:
    """Return `spec` with covers. Raises Refused if there are too many to cover."""
    paths = tuple(_paths(table))
    covers = sorted({cover for bind in _binds(spec) for cover in _covers(bind, paths)})
    if len(covers) > MAX_COVERS:
        message = f"cannot hide {len(covers)} sockets of this host, of which one is {covers[0]}"
        raise Refused(Code.BACKEND_UNAVAILABLE, message, "move them to /run, where sockets belong")
    files = tuple(File(b"", cover) for cover in covers)
    return dataclasses.replace(spec, mounts=(*spec.mounts, *files)) if files else spec


def _binds(spec: SandboxSpec) -> Iterator[Bind]:
    return (mount for mount in spec.mounts if isinstance(mount, Bind))


def _covers(bind: Bind, paths: tuple[str, ...]) -> Iterator[str]:
    for path in paths:
        if path.startswith(f"{bind.source}/") and _is_socket(path):
            yield bind.target + path.removeprefix(bind.source)


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(Path(path).lstat().st_mode)
    except (OSError, ValueError):
        return False


def _paths(table: Path) -> Iterator[str]:
    """Every path in the table: the eighth column, absolute (`@` begins an abstract name)."""
    try:
        lines = table.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return
    for line in lines:
        columns = line.split(maxsplit=7)
        if len(columns) == 8 and columns[7].startswith("/"):
            yield columns[7]
