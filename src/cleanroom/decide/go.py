"""Which question a path of a Go module proxy asks, or of a checksum database.

In: a request's target. Out: a Question; capital letters are written `!x` in paths, and only so.
Never: a module whose first part has no dot: what stands before it is where the proxy itself is.
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

_PART: Final = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*")
_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~+-]*")
_ESCAPED: Final = re.compile(r"!([a-z])")
_TILE: Final = re.compile(
    r"tile/[0-9]{1,2}/(?:[0-9]{1,2}|data)/(?:x[0-9]{3}/){0,8}[0-9]{3}(?:\.p/[0-9]{1,3})?"
)
_DATABASES: Final = (["sum.golang.org"], ["sum.golang.google.cn"])
_NOT_GO: Final = Unsound("a module's name or version is not written as Go writes it")


def ask_go(target: str) -> Question:
    """Return what the proxy, or the checksum database, is asked for."""
    path = read_path(target)
    if isinstance(path, Unsound):
        return path
    match path[1:].split("/"):
        case [*parts, "@v", file]:
            return _of_module(_module(parts), file, path)
        case [*parts, "@latest"]:
            return _of_module(_module(parts), "@latest", path)
        case parts:
            return _of_database(parts, path)


def _of_module(module: str | Unsound, file: str, path: str) -> Question:
    if isinstance(module, Unsound):
        return module
    if file in ("list", "@latest"):
        return Metadata(module, path, versions=False)
    escaped, dot, kind = file.rpartition(".")
    version = _version(escaped)
    if not dot or isinstance(version, Unsound):
        return _NOT_GO
    match kind:
        case "info":
            return Metadata(module, path, versions=False, of_file=True, version=version)
        case "mod" | "zip":
            return Artifact(module, version, f"{version}.{kind}", path)
        case _:
            return Service(path)


def _of_database(parts: list[str], path: str) -> Question:
    asked = parts
    if "sumdb" in parts and parts[0] != "lookup":
        # Proxies hand on what Go's own databases say, below `sumdb/NAME/`. Others are asked at
        # their own hosts or not at all: a name could carry data to a stranger.
        begin = parts.index("sumdb") + 1
        asked = parts[begin + 1 :] if parts[begin : begin + 1] in _DATABASES else []
    match asked:
        case ["supported"] | ["latest"]:
            return Metadata("", path, versions=False, of_registry=True)
        case ["lookup", *parts] if parts and "@" in parts[-1]:
            last, _, escaped = parts[-1].partition("@")
            module, version = _module([*parts[:-1], last]), _version(escaped)
            if isinstance(module, Unsound) or isinstance(version, Unsound):
                return _NOT_GO
            return Metadata(module, path, versions=False, of_file=True, version=version)
        case _ if _TILE.fullmatch("/".join(asked)):
            return Metadata("", path, versions=False, of_registry=True)
        case _:
            return Service(path)


def _module(parts: list[str]) -> str | Unsound:
    begin = next((at for at, part in enumerate(parts) if "." in part), len(parts))
    names = [_unescape(part) for part in parts[begin:]]
    if not names or not all(_PART.fullmatch(name) and name[-1] != "." for name in names):
        return _NOT_GO
    return "/".join(names)


def _version(escaped: str) -> str | Unsound:
    version = _unescape(escaped)
    return version if len(version) <= MAX_VERSION and _VERSION.fullmatch(version) else _NOT_GO


def _unescape(text: str) -> str:
    """Return the text that is meant; "" if it is not written as Go writes it."""
    if any(each.isupper() for each in text):
        return ""
    return _ESCAPED.sub(lambda found: found[1].upper(), text)  # a `!` that is left fits no name
