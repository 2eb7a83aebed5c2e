"""Whether a link may be brought onto the host: it points below the workspace, through nothing.

In: Sources, the changes wanted. Out: yes or no. Never: a link followed.

Each link is judged by its text alone: no absolute one, `..` only in front and never above the root.
A target that lies behind another link would mean what that link means, now or later; so no folder
on its way may be one, and if its end is a link, that one must be harmless too.
"""

import stat
from typing import Final

from cleanroom.backends.workspace.changes import Change
from cleanroom.backends.workspace.folders import facts_of, is_plain, open_at, opened, split
from cleanroom.backends.workspace.sources import Sources, read_link

_MAX_CHAIN: Final = 8


class Links:
    """Judges the links of one apply."""

    def __init__(self, sources: Sources, wanted: list[Change]) -> None:
        self._sources = sources
        self._inside = {
            change.path: change.type if change.kind != "deleted" else "" for change in wanted
        }

    def stays_inside(self, path: str) -> bool:
        """Whether the link that the sandbox made at `path` may exist on the host."""
        return self._harmless(path, _MAX_CHAIN)

    def _harmless(self, path: str, depth: int) -> bool:
        text = self._text(path)
        target = landing(path, text) if text and depth else None
        if target is None:
            return False
        parts = target.split("/") if target else []
        above = ("/".join(parts[:count]) for count in range(1, len(parts)))
        if any(self._is_link(folder) for folder in above):
            return False
        return not target or not self._is_link(target) or self._harmless(target, depth - 1)

    def _is_link(self, path: str) -> bool:
        if path in self._inside:
            return self._inside[path] == "link"
        folder, name = split(path)
        at = open_at(self._sources.root, folder)
        if at is None:
            return False
        with opened(at):
            facts = facts_of(at, name)
        return facts is not None and stat.S_ISLNK(facts.st_mode)

    def _text(self, path: str) -> str | None:
        top = self._sources.upper if path in self._inside else self._sources.root
        return read_link(top, path)


def landing(path: str, text: str) -> str | None:
    """The path below the root that a link at `path` with this text names; None if it leads out."""
    if text.startswith("/"):
        return None
    parts = [part for part in text.split("/") if part not in ("", ".")]
    ups = 0
    while ups < len(parts) and parts[ups] == "..":
        ups += 1
    rest = parts[ups:]
    folder = path.split("/")[:-1]
    if ups > len(folder) or (rest and not is_plain("/".join(rest))):
        return None
    return "/".join((*folder[: len(folder) - ups], *rest))
