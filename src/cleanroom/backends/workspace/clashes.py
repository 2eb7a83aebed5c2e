"""Names that another file system, or a reader, takes for one: refused beside each other.

In: the repository, the paths to be made. Out: path -> the name it clashes with. Never: a change.

`README` and `readme` are two files here and one on a laptop that ignores case; the same letter
composed and decomposed looks the same everywhere. What is new may not hide behind what is there.
"""

import unicodedata
from collections.abc import Iterable

from cleanroom.backends.workspace.folders import names_in, open_at, opened


def folded(name: str) -> str:
    """The form in which clashing names are equal."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def clashes(root: int, added: Iterable[str], gone: frozenset[str]) -> dict[str, str]:
    """Each path of `added` that clashes, with what it clashes; `gone` will be there no more."""
    known: dict[str, dict[str, set[str]]] = {}  # folder -> folded name -> names
    paths = sorted(added)
    for path in paths:
        for folder, name in _steps(path):
            if folder not in known:
                known[folder] = _there(root, folder, gone)
            known[folder].setdefault(folded(name), set()).add(name)
    found = {}
    for path in paths:
        for folder, name in _steps(path):
            others = known[folder][folded(name)] - {name}
            if others:
                found[path] = f"{folder}/{min(others)}" if folder else min(others)
    return found


def _steps(path: str) -> list[tuple[str, str]]:
    """Each name of a path, with the folder it is in."""
    parts = path.split("/")
    return [("/".join(parts[:depth]), name) for depth, name in enumerate(parts)]


def _there(root: int, folder: str, gone: frozenset[str]) -> dict[str, set[str]]:
    """The names in one folder of the repository, by their folded form."""
    at = open_at(root, folder)
    if at is None:
        return {}
    names: dict[str, set[str]] = {}
    with opened(at):
        for name in names_in(at):
            path = f"{folder}/{name}" if folder else name
            if path not in gone:
                names.setdefault(folded(name), set()).add(name)
    return names
