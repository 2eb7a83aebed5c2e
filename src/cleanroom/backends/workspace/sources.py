"""Open what a change set names, in the upper layer and in the repository.

In: the folder of a sandbox. Out: bytes and descriptors of regular files, texts of links.
Never: a link followed on the way, a FIFO waited for.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cleanroom.backends.workspace.folders import (
    FOLDER,
    facts_of,
    open_at,
    open_plain,
    opened,
    split,
)
from cleanroom.backends.workspace.saved import Places, Saved, load
from cleanroom.errors import Code, Fault


@dataclass(frozen=True, slots=True)
class Sources:
    """Both layers, open; `root` is the workspace on the host."""

    saved: Saved
    places: Places
    upper: int
    root: int


@contextmanager
def open_sources(folder: Path) -> Iterator[Sources]:
    """Both layers of one sandbox. Raises Fault(internal) if either is gone."""
    saved = load(folder)
    places = Places(folder)
    try:
        upper = os.open(places.upper, FOLDER)
    except OSError as error:
        raise _gone(error) from error
    with opened(upper):
        try:
            root = os.open(saved.host_path, FOLDER)
        except OSError as error:
            raise _gone(error) from error
        with opened(root):
            yield Sources(saved, places, upper, root)


def _gone(error: OSError) -> Fault:
    message = f"cannot open what was changed: {error.strerror} ({error.filename})"
    return Fault(Code.INTERNAL, message)


def open_file(top: int, path: str) -> int | None:
    """Open the regular file `path` below `top`; None if it is none."""
    folder, name = split(path)
    at = open_at(top, folder)
    if at is None:
        return None
    with opened(at):
        return open_plain(at, name)


def ctime_of(top: int, path: str) -> int | None:
    """When the kernel last saw `path` below `top` change; None if it is not there."""
    folder, name = split(path)
    at = open_at(top, folder)
    if at is None:
        return None
    with opened(at):
        facts = facts_of(at, name)
    return None if facts is None else facts.st_ctime_ns


def read_link(top: int, path: str) -> str | None:
    """The text of the link `path` below `top`; None if it is none."""
    folder, name = split(path)
    at = open_at(top, folder)
    if at is None:
        return None
    with opened(at):
        try:
            return os.readlink(name, dir_fd=at)
        except OSError:
            return None


def read_file(top: int, path: str, limit: int) -> bytes | None:
    """At most `limit` bytes of a regular file; None if there is none or it is longer."""
    fd = open_file(top, path)
    if fd is None:
        return None
    with os.fdopen(fd, "rb") as file:
        data = file.read(limit + 1)
    return None if len(data) > limit else data
