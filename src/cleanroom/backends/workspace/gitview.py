"""A sandbox's git folder as data: what it says of commits, read over both layers.

In: Sources, where the git folder is. Out: object ids, packed and loose objects of the upper layer.
Never: git run on it, a link followed, or a file larger than its kind has any reason to be.
"""

import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from cleanroom.backends.workspace.folders import facts_of, names_in, open_at, opened, split
from cleanroom.backends.workspace.sources import read_file

_OBJECT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_MAX_TEXT: Final = 16 * 1024 * 1024  # packed-refs of a large repository
_MAX_REFS: Final = 5000
_MAX_LINKS: Final = 5  # symbolic references


@dataclass(frozen=True, slots=True)
class GitView:
    """`upper` and `lower` are open folders that hold a git folder at `at` ("" for themselves).

    `head` is the path of HEAD in it: a worktree has its own.
    """

    upper: int
    lower: int
    at: str
    head: str = "HEAD"

    def tip(self) -> str | None:
        """The commit that HEAD names inside; None if there is none."""
        return self._resolve(self._read)

    def host_tip(self) -> str | None:
        """The commit that HEAD names on the host."""
        return self._resolve(lambda name: self._of(self.lower, name))

    def _resolve(self, read: Callable[[str], str | None]) -> str | None:
        text = read(self.head)
        for _ in range(_MAX_LINKS):
            if text is None:
                return None
            if _OBJECT.match(text.strip()):
                return text.strip()
            name = text.strip().removeprefix("ref: ")
            if name == text.strip() or not is_ref(name):
                return None
            text = read(name) or self._packed(read("packed-refs")).get(name)
        return None

    def known(self) -> list[str]:
        """What the host's own references name: objects that it has already."""
        found = set(self._packed(self._of(self.lower, "packed-refs")).values())
        for name in ("HEAD", self.head, *self._loose("refs")):
            text = (self._of(self.lower, name) or "").strip()
            if _OBJECT.match(text):
                found.add(text)
        return sorted(found)[:_MAX_REFS]

    def host_refs(self) -> set[str]:
        """Every reference of the host by name."""
        return {*self._packed(self._of(self.lower, "packed-refs")), *self._loose("refs")}

    def config(self) -> str:
        """The host's own configuration."""
        return self._of(self.lower, "config") or ""

    def shallow(self) -> str | None:
        """Where a shallow clone of the host ends."""
        return self._of(self.lower, "shallow")

    def new_objects(self) -> Iterator[str]:
        """Paths below `upper` of every loose object and pack that was written inside."""
        top = self._path("objects")
        for folder in _names(self.upper, top):
            if re.fullmatch("[0-9a-f]{2}", folder):
                wanted, below = r"[0-9a-f]{38}(?:[0-9a-f]{24})?", f"{top}/{folder}"
            elif folder == "pack":
                wanted, below = r"pack-[0-9a-f]{40}(?:[0-9a-f]{24})?\.pack", f"{top}/pack"
            else:
                continue
            for name in _names(self.upper, below):
                if re.fullmatch(wanted, name):
                    yield f"{below}/{name}"

    def _path(self, name: str) -> str:
        return f"{self.at}/{name}" if self.at else name

    def _read(self, name: str) -> str | None:
        """The sandbox's own version: the upper layer's, if it says anything of it."""
        folder, last = split(self._path(name))
        at = open_at(self.upper, folder)
        if at is not None:
            with opened(at):
                facts = facts_of(at, last)
            if facts is not None:
                return None if not stat.S_ISREG(facts.st_mode) else self._of(self.upper, name)
        return self._of(self.lower, name)

    def _of(self, layer: int, name: str) -> str | None:
        data = read_file(layer, self._path(name), _MAX_TEXT)
        return None if data is None else data.decode("utf-8", "replace")

    def _packed(self, text: str | None) -> dict[str, str]:
        found = {}
        for line in (text or "").splitlines():
            value, _, name = line.partition(" ")
            if _OBJECT.match(value) and is_ref(name):
                found[name] = value
        return found

    def _loose(self, top: str) -> list[str]:
        """Names of the host's loose references."""
        found: list[str] = []
        waiting = [top]
        while waiting and len(found) < _MAX_REFS:
            at = waiting.pop()
            folder = open_at(self.lower, self._path(at))
            if folder is None:
                continue
            with opened(folder), os.scandir(folder) as entries:
                for entry in entries:
                    inner = f"{at}/{entry.name}"
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(inner)
                    elif entry.is_file(follow_symlinks=False):
                        found.append(inner)
        return found


def is_ref(name: str) -> bool:
    """Whether a reference may have this name; stricter than git-check-ref-format(1)."""
    if not re.fullmatch(r"refs(/[A-Za-z0-9_+=@#,%][A-Za-z0-9._+=@#,%-]*)+", name):
        return False
    parts = name.split("/")
    return ".." not in name and not any(part.endswith((".", ".lock")) for part in parts)


def _names(layer: int, path: str) -> list[str]:
    at = open_at(layer, path)
    if at is None:
        return []
    with opened(at):
        return names_in(at)
