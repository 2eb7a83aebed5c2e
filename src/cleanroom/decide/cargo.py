"""Which question a path of a Cargo registry asks: of its sparse index, or of where its crates are.

In: a request's target. Out: a Question; names are in lower case, as the index writes them.
Never: a crate at any other place than `…/NAME/VERSION/download` or `…/NAME-VERSION.crate`: what
else an index's `config.json` may lead to is no crate, and so is refused.
"""

import re
from typing import Final

from cleanroom.decide.question import (
    MAX_VERSION,
    Artifact,
    Metadata,
    Question,
    Service,
    Unsound,
    read_path,
)

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")  # the public registry's own limit
_VERSION: Final = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+(?:[-+][0-9A-Za-z.+-]+)?")
# A name has no dots, so there is one place only where the version can begin.
_FILE: Final = re.compile(rf"(?P<name>{_NAME.pattern}?)-(?P<version>{_VERSION.pattern})\.crate")


def ask_cargo(target: str) -> Question:
    """Return what the index, or the host of the crates, is asked for."""
    path = read_path(target)
    if isinstance(path, Unsound):
        return path
    parts = path[1:].split("/")
    match parts:
        case [*_, "config.json"]:
            return Metadata("", path, versions=False, of_registry=True)
        case [*_, name, version, "download"] if _is_crate(name, version):
            return Artifact(name.lower(), version, f"{name}-{version}.crate", path)
        case _:
            return _crate(parts[-1], path) or _entry(parts) or Service(path)


def canonical_crate(name: str) -> str:
    """Return a crate's name as the index has it: two that differ in case only cannot both exist."""
    return name.lower()


def index_path(name: str) -> str:
    """Return where the index has a crate, below its root."""
    lower = name.lower()
    if len(lower) <= 2:
        return f"{len(lower)}/{lower}"
    if len(lower) == 3:
        return f"3/{lower[0]}/{lower}"
    return f"{lower[:2]}/{lower[2:4]}/{lower}"


def _crate(file: str, path: str) -> Artifact | None:
    found = _FILE.fullmatch(file)
    if found is None or not _is_crate(found["name"], found["version"]):
        return None
    return Artifact(found["name"].lower(), found["version"], file, path)


def _entry(parts: list[str]) -> Metadata | None:
    name = parts[-1]
    if not _NAME.fullmatch(name):
        return None
    wanted = index_path(name).split("/")
    before, last = parts[: -len(wanted)], parts[-len(wanted) :]
    if [each.lower() for each in last] != wanted:
        return None
    return Metadata(name.lower(), "/".join(["", *before, *wanted]))


def _is_crate(name: str, version: str) -> bool:
    return (
        _NAME.fullmatch(name) is not None
        and len(version) <= MAX_VERSION
        and _VERSION.fullmatch(version) is not None
    )
