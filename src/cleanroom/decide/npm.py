"""Which question a path of an npm registry asks.

In: a request's target. Out: a Question; scopes may be written `@a/b` or `@a%2fb` and are one name.
Never: a version guessed from a file that is not named as the registry names files.
"""

import re
from typing import Final

from cleanroom.decide.question import (
    MAX_NAME,
    MAX_VERSION,
    PACKAGES,
    Artifact,
    Metadata,
    Question,
    Service,
    Unsound,
    read_path,
)

_PART: Final = re.compile(r"[A-Za-z0-9!~*'()_.-]+")  # of a name; old names have capital letters
_SUFFIX: Final = ".tgz"


def ask_npm(target: str) -> Question:
    """Return what the registry is asked for."""
    path = read_path(target)
    if isinstance(path, Unsound):
        return path
    parts = path[1:].split("/")
    if parts[0] == "-":
        return _service(path, parts)
    return _package(path, parts)


def _package(path: str, parts: list[str]) -> Question:
    count = 2 if parts[0].startswith("@") else 1
    name = "/".join(parts[:count])
    rest = parts[count:]
    if not _is_name(name):
        return Service(path)
    if not rest:
        return Metadata(name, f"/{name.replace('/', '%2f')}")
    if rest[0] == "-":
        return _artifact(name, rest[1:], path)
    if len(rest) == 1 and rest[0].lower().endswith(PACKAGES):
        return Artifact(name, "", rest[0], path)  # some registries have files there too
    if len(rest) == 1 and rest[0]:
        return Metadata(name, path, versions=False)  # one version's page, or a tag's
    return Service(path)


def _service(path: str, parts: list[str]) -> Question:
    # /-/package/NAME/dist-tags, NAME with or without a scope
    if parts[1:2] == ["package"] and parts[-1] == "dist-tags":
        name = "/".join(parts[2:-1])
        if _is_name(name):
            return Metadata(
                name, f"/-/package/{name.replace('/', '%2f')}/dist-tags", versions=False
            )
    return Service(path)


def _artifact(name: str, rest: list[str], path: str) -> Question:
    base = name.rpartition("/")[2]
    scope = name.removesuffix(base)
    if rest[:-1] not in ([], [scope.removesuffix("/")]):
        return Service(path)
    file = rest[-1] if rest else ""
    version = file.removeprefix(f"{base}-").removesuffix(_SUFFIX)
    if file != f"{base}-{version}{_SUFFIX}" or not 0 < len(version) <= MAX_VERSION:
        return Artifact(name, "", file, path) if file else Service(path)
    return Artifact(name, version, file, path)


def _is_name(name: str) -> bool:
    scope, _, base = name.rpartition("/")
    parts = [scope.removeprefix("@"), base] if scope else [base]
    is_scoped = scope.startswith("@") or not scope
    return (
        is_scoped
        and len(name) <= MAX_NAME
        and all(_PART.fullmatch(part) and not part.startswith(".") for part in parts)
    )
