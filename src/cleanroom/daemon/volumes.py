"""Volumes: named folders of one workspace that outlive its sandboxes, on disk.

In: a workspace's path and mark, names. Out: overlays, lists. Never: one volume for two workspaces,
the same path included, or one removed by halves: it is renamed first.
"""

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from cleanroom.api.mount_types import VolumeRequest
from cleanroom.backends.workspace.upkeep import remove_tree, tree_size
from cleanroom.daemon.mise_volumes import DATA, make_layers
from cleanroom.errors import Code, Fault
from cleanroom.sandbox.spec import Overlay

_ABOUT: Final = "about.json"
_REMOVED: Final = "removed-"


@dataclass(frozen=True, slots=True)
class Identity:
    """A workspace: where it is, and what only this folder has (workspace_mark.py)."""

    path: str
    mark: str


@dataclass(frozen=True, slots=True)
class Kept:
    """One volume on disk."""

    folder: Path
    name: str
    of: Identity

    @property
    def used_at(self) -> float:
        """When a sandbox last took it."""
        return self.folder.stat().st_mtime

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return tree_size(self.folder / DATA)


class Volumes:
    """All volumes of one daemon. Blocking, but for `put_aside`."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = most_bytes

    def overlay(self, of: Identity, request: VolumeRequest, *, make: bool) -> Overlay:
        """Return how a sandbox has it; `make` it if it is not there. Raises Fault."""
        folder = self._folder / _key(of, request.name)
        if make:
            try:
                self._make(folder, Kept(folder, request.name, of))
            except OSError as error:
                message = f"cannot make the volume '{request.name}': {error.strerror}"
                raise Fault(Code.RUNTIME_LAUNCH_FAILED, message) from error
        facts = os.geteuid(), os.getegid()
        lower, upper, work = (str(folder / name) for name in ("empty", DATA, "work"))
        return Overlay((request.at,), (lower,), upper, work, *facts, most_bytes=self._most_bytes)

    def every(self) -> list[Kept]:
        """Return all, by workspace and name."""
        found = [kept for folder in self._folders() if (kept := _read(folder)) is not None]
        return sorted(found, key=lambda kept: (kept.of.path, kept.name))

    def put_aside(self, kept: Kept) -> Path:
        """Take its name from it: whoever asks for it next gets an empty one. Does not wait."""
        aside = self._folder / f"{_REMOVED}{secrets.token_hex(8)}"
        kept.folder.rename(aside)
        return aside

    def clear(self) -> None:
        """Remove all that was put aside, also by a daemon that was killed then."""
        for folder in self._folders():
            if folder.name.startswith(_REMOVED):
                remove_tree(folder)

    def _make(self, folder: Path, kept: Kept) -> None:
        make_layers(folder)
        os.utime(folder)
        about = folder / _ABOUT
        if not about.exists():
            draft = about.with_suffix(".new")
            draft.write_text(json.dumps({"name": kept.name, "of": asdict(kept.of)}))
            draft.rename(about)

    def _folders(self) -> Iterator[Path]:
        with contextlib.suppress(FileNotFoundError):
            yield from list(self._folder.iterdir())


def _key(of: Identity, name: str) -> str:
    return hashlib.sha256(json.dumps([of.path, of.mark, name]).encode()).hexdigest()[:32]


def _read(folder: Path) -> Kept | None:
    """What a folder is; None for what was put aside or never finished."""
    if folder.name.startswith(_REMOVED):
        return None
    try:
        about = json.loads((folder / _ABOUT).read_text())
        return Kept(folder, about["name"], Identity(**about["of"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
