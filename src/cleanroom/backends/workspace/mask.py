"""The mask: a layer over the repository that hides secrets and shows a harmless git config.

In: what to hide. Out: a folder to use as an overlay's topmost lower layer, or none if it would be
empty. Never: a change in the repository itself.

Hiding is overlayfs's own whiteout, a character device 0:0, which an unprivileged user may make.
A folder in a lower layer gives the merged folder its mode and owner, so each is copied.
"""

import contextlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cleanroom.backends.workspace.folders import read_plain
from cleanroom.backends.workspace.gitconfig import sanitize

MAX_CONFIG_BYTES: Final = 1024 * 1024
_MAX_CONFIGS: Final = 1000


def make_mask(mask: Path, repository: str, hidden: Iterable[str], configs: Iterable[str]) -> bool:
    """Fill `mask`, a new folder; false if there is nothing to mask.

    `hidden` and `configs` are relative to `repository`. A config that cannot be read is hidden.
    """
    draft = _Mask(mask, repository)
    for path in hidden:
        draft.hide(path)
    for path in configs:
        draft.clean_config(path)
    draft.settle()
    return draft.used


def git_configs(repository: str, git: str) -> list[str]:
    """Every configuration file git would read below the folder `git`, relative."""
    found = [_inside(git, "config"), _inside(git, "config.worktree")]
    for below in ("modules", "worktrees"):
        base = f"{repository}/{_inside(git, below)}"
        for folder, names, files in os.walk(base):
            names[:] = [name for name in names if name not in ("objects", "refs", "logs", "hooks")]
            relative = os.path.relpath(folder, repository)
            found += [f"{relative}/{name}" for name in files if name.startswith("config")]
            if len(found) > _MAX_CONFIGS:
                return found
    return found


def _inside(git: str, name: str) -> str:
    return f"{git}/{name}" if git else name


class _Mask:
    """A mask in the making. Folders get their modes last: some are closed even to their owner."""

    def __init__(self, mask: Path, repository: str) -> None:
        self._mask = mask
        self._repository = repository
        self._modes: dict[Path, int] = {}
        self.used = False
        self._copy_folder(Path(repository), mask)

    def hide(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):  # its folder is gone meanwhile
            place = self._place(path)
            os.mknod(place, stat.S_IFCHR, 0)
            self.used = True

    def clean_config(self, path: str) -> None:
        source = f"{self._repository}/{path}"
        try:
            facts = os.lstat(source)
        except OSError:
            return
        data = read_plain(source, MAX_CONFIG_BYTES)
        if data is None or facts.st_size > MAX_CONFIG_BYTES:
            self.hide(path)
            return
        text = data.decode("utf-8", "surrogateescape")
        clean = sanitize(text)
        if clean != text:
            target = self._place(path)
            target.write_bytes(clean.encode("utf-8", "surrogateescape"))
            _own(target, facts)
            target.chmod(stat.S_IMODE(facts.st_mode) & 0o777)
            self.used = True

    def settle(self) -> None:
        for folder, mode in reversed(self._modes.items()):
            folder.chmod(mode)

    def _place(self, path: str) -> Path:
        """Make the folders above `path` in the mask; where `path` itself goes."""
        at, place = Path(self._repository), self._mask
        for part in path.split("/")[:-1]:
            at, place = at / part, place / part
            self._copy_folder(at, place)
        return place / path.rpartition("/")[2]

    def _copy_folder(self, source: Path, target: Path) -> None:
        if target in self._modes:
            return
        facts = source.lstat()
        target.mkdir(mode=0o700)
        _own(target, facts)
        self._modes[target] = stat.S_IMODE(facts.st_mode) & 0o1777


def _own(target: Path, facts: os.stat_result) -> None:
    """As root: what the owner of the repository will see as their own."""
    if os.geteuid() == 0:
        os.chown(target, facts.st_uid, facts.st_gid)
