"""Which question a path of a Python package index or of its file host asks.

In: a request's target. Out: a Question, with the name as PEP 503 normalises it.
Never: a number read as a number: versions are compared as text, however long they are.
"""

import re
from typing import Final

from cleanroom.decide.question import (
    MAX_NAME,
    MAX_VERSION,
    Artifact,
    Metadata,
    Question,
    Service,
    Unsound,
    read_path,
)

_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_SEPARATORS: Final = re.compile(r"[-_.]+")
_SDISTS: Final = (".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz", ".tar.Z", ".tar")
_OLD_BINARIES: Final = (".egg", ".exe", ".msi", ".rpm", ".dmg", ".deb")
SIDE_FILES: Final = (".metadata", ".asc", ".provenance")
_VERSION: Final = re.compile(
    r"v?(?P<epoch>[0-9]+!)?(?P<release>[0-9]+(?:\.[0-9]+)*)"
    r"(?:[-_.]?(?P<pre>a|b|c|rc|alpha|beta|pre|preview)[-_.]?(?P<pre_n>[0-9]*))?"
    r"(?P<post>-(?P<post_a>[0-9]+)|[-_.]?(?:post|rev|r)[-_.]?(?P<post_b>[0-9]*))?"
    r"(?P<dev>[-_.]?dev[-_.]?(?P<dev_n>[0-9]*))?"
    r"(?:[+](?P<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?"
)
_PRE: Final = {"alpha": "a", "beta": "b", "c": "rc", "pre": "rc", "preview": "rc"}


def ask_pypi(target: str) -> Question:
    """Return what the index, or the file host, is asked for."""
    path = read_path(target)
    if isinstance(path, Unsound):
        return path
    parts = path[1:].removesuffix("/").split("/")
    file = parts[-1]
    for suffix in SIDE_FILES:
        if file.endswith(suffix) and isinstance(
            found := _file(file.removesuffix(suffix), path), Artifact
        ):
            return Metadata(found.name, path, versions=False, of_file=True)
    found = _file(file, path)
    if isinstance(found, Artifact):
        return found
    return _page(parts, path)


def _page(parts: list[str], path: str) -> Question:
    match parts:
        case [*before, ("simple" | "+simple") as pages, name] if _is_name(name):
            # Indexes redirect every other spelling to this one.
            return Metadata(
                canonical_name(name), "/".join(["", *before, pages, canonical_name(name), ""])
            )
        case ["pypi", name, "json"] if _is_name(name):
            return Metadata(canonical_name(name), path, versions=False)
        case ["pypi", name, version, "json"] if _is_name(name) and len(version) <= MAX_VERSION:
            return Metadata(canonical_name(name), path, versions=False)
        case _:
            return Service(path)


def _file(file: str, path: str) -> Artifact | None:
    if file.endswith(".whl"):
        return _wheel(file, path)
    for suffix in _SDISTS:
        if file.endswith(suffix):
            return _sdist(file, suffix, path)
    if file.endswith(_OLD_BINARIES):
        name, _, rest = file.partition("-")
        return Artifact(canonical_name(name), rest.partition("-")[0][:MAX_VERSION], file, path)
    return None


def _wheel(file: str, path: str) -> Artifact | None:
    parts = file.removesuffix(".whl").split("-")
    if len(parts) not in (5, 6) or not _is_name(parts[0].strip("_")):
        return None
    # The binary distribution format writes `_` for the `-` of a name and of a local version.
    return Artifact(canonical_name(parts[0]), parts[1][:MAX_VERSION], file, path)


def _sdist(file: str, suffix: str, path: str) -> Artifact | None:
    name, dash, version = file.removesuffix(suffix).rpartition("-")
    if not dash or not _is_name(name) or not version[:1].isdigit():
        return None
    return Artifact(canonical_name(name), version[:MAX_VERSION], file, path)


def _is_name(name: str) -> bool:
    return len(name) <= MAX_NAME and _NAME.fullmatch(name) is not None


def version_of_file(file: str) -> str:
    """Return the version in a package file's name, as it is written there; "" if there is none."""
    found = _file(file, "")
    return found.version if found else ""


def canonical_name(name: str) -> str:
    """Return a project's name as PEP 503 normalises it."""
    return _SEPARATORS.sub("-", name).lower()


def canonical_version(version: str) -> str:
    """Return one spelling for equal versions (PEP 440); what is no version is its own spelling."""
    text = version.strip().lower()
    # A wheel's file name writes `_` in a local version, where the version itself has `.`.
    found = _VERSION.fullmatch(text) if len(text) <= MAX_VERSION else None
    if found is None:
        return text
    epoch = _number((found["epoch"] or "0!")[:-1])
    release = [_number(part) for part in found["release"].split(".")]
    while len(release) > 1 and release[-1] == "0":
        release.pop()
    spelt = [f"{epoch}!" if epoch != "0" else "", ".".join(release)]
    if found["pre"]:
        spelt.append(_PRE.get(found["pre"], found["pre"]) + _number(found["pre_n"]))
    if found["post"]:
        spelt.append(f".post{_number(found['post_a'] or found['post_b'])}")
    if found["dev"]:
        spelt.append(f".dev{_number(found['dev_n'])}")
    if found["local"]:
        spelt.append("+" + _SEPARATORS.sub(".", found["local"]))
    return "".join(spelt)


def _number(digits: str | None) -> str:
    return (digits or "0").lstrip("0") or "0"
