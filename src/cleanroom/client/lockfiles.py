"""The lock files that a policy names: which files are there, and their texts.

In: a folder, the policy's paths and globs as the daemon reads them out of it. Out: path -> text.
Never: a file outside the folder, one that is no regular file of the caller's, or more than a
bounded number of folders and bytes.
"""

# pathlib costs 3 ms of every exec:
# ruff: noqa: PTH118, PTH123
import os
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable
from typing import Final, NoReturn

from cleanroom.client.blocking import Connection
from cleanroom.client.calls import Call
from cleanroom.client.workspace import read_inside
from cleanroom.errors import Code, UserError
from cleanroom.lockfile.paths import MAX_BYTES, MAX_FILES, beside, matches_name
from cleanroom.lockfile.requirement_lines import included_files

MAX_ENTRIES: Final = 100_000  # of all folders that globs lead into
NAME_FEWER: Final = "name fewer, under registries: … lockfile_enforcement: lockfiles"
NAME_ONE: Final = "name a lock file, as in: cleanroom lock inspect package-lock.json"
WRITE_ANEW: Final = "have it written anew by the tool that it belongs to"
_INSTALLED: Final = "node_modules"
_FILE: Final = "file"
_FOLDER: Final = "folder"
_PASSED_OVER: Final = ""


def with_lockfiles(
    connection: Connection, folder: str, policy: dict[str, object], uid: int
) -> dict[str, object]:
    """Return PolicyText (api/policy_types.py) with the lock files that it names in `folder`."""
    named = connection.call(Call("name_lockfiles", body={"policy": policy}))
    return {**policy, "lockfiles": read_lockfiles(folder, named.texts("patterns"), uid)}


def read_lockfiles(folder: str, patterns: Iterable[str], uid: int) -> dict[str, str]:
    """Return the text of each file that is there. Raises UserError for one that cannot be read."""
    texts: dict[str, str] = {}
    waiting = find(folder, patterns)
    left = MAX_BYTES
    while waiting:
        path = waiting.pop(0)
        if path in texts:
            continue
        if len(texts) == MAX_FILES:
            _refuse(f"cannot read more than {MAX_FILES} lock files")
        data = read_inside(folder, path, uid, left)
        left -= len(data)
        if left < 0:
            _refuse(f"cannot read {path}: the lock files are larger than 16 MiB together")
        texts[path] = decoded(path, data)
        if path.endswith(".txt"):
            named = (beside(path, other) for other in included_files(texts[path]))
            waiting += [each for each in named if each.endswith(".txt") and _exists(folder, each)]
    return texts


def read_named(path: str) -> bytes:
    """Return the bytes of a file that the person names; a pipe is fine. Raises UserError."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        _refuse(f"cannot read {path}: {error.strerror}", NAME_ONE)
    if len(data) > MAX_BYTES:
        _refuse(f"cannot read {path}: it is larger than 16 MiB", NAME_ONE)
    return data


def find(folder: str, patterns: Iterable[str]) -> list[str]:
    """Return the paths of what is there and meant by the patterns, sorted.

    Wildcards do not lead into hidden folders, `node_modules`, or through links.
    """
    found: set[str] = set()
    tree = _Tree(folder)
    waiting = [("", tuple(pattern.split("/"))) for pattern in patterns]
    seen = set(waiting)
    while waiting:
        at, (step, *rest) = waiting.pop()
        following = _follow(tree, at, step, tuple(rest), found)
        waiting += [each for each in following if each not in seen]
        seen.update(following)
    return sorted(path for path in found if _exists(folder, path))


def _exists(folder: str, path: str) -> bool:
    return os.path.lexists(os.path.join(folder, path))


_Place = tuple[str, tuple[str, ...]]  # a folder, and the steps of a pattern from there


def _follow(
    tree: "_Tree", at: str, step: str, rest: tuple[str, ...], found: set[str]
) -> list[_Place]:
    """Take one step of a pattern: return the folders to go on in, add what is meant to `found`."""
    if step != "**" and "*" not in step and "?" not in step:
        if rest:
            return [(f"{at}{step}/", rest)]
        found.add(f"{at}{step}")
        return []
    entries = tree.entries(at)
    if step != "**":
        entries = [each for each in entries if matches_name(step, each[0])]
    if not rest:
        found.update(f"{at}{name}" for name, kind in entries if kind == _FILE)
    further = (step, *rest) if step == "**" else rest
    following = [(f"{at}{name}/", further) for name, kind in entries if kind == _FOLDER and further]
    return [(at, rest), *following] if step == "**" and rest else following


class _Tree:
    """Folders below one, each listed once."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._listed: dict[str, list[tuple[str, str]]] = {}
        self._left = MAX_ENTRIES

    def entries(self, at: str) -> list[tuple[str, str]]:
        """Return names and kinds of what is in `at`; nothing if it cannot be read."""
        if at not in self._listed:
            try:
                with os.scandir(os.path.join(self._folder, at)) as listing:
                    found = [(each.name, _kind(each)) for each in listing]
            except OSError:
                found = []
            self._left -= len(found)
            if self._left < 0:
                _refuse(f"cannot look for lock files: more than {MAX_ENTRIES} files are to be seen")
            self._listed[at] = found
        return self._listed[at]


def _kind(entry: "os.DirEntry[str]") -> str:
    """Tell files and folders to go into; links to folders are not gone through."""
    try:
        if entry.is_dir(follow_symlinks=False):
            hidden = entry.name.startswith(".") or entry.name == _INSTALLED
            return _PASSED_OVER if hidden else _FOLDER
        return _FILE if entry.is_file() else _PASSED_OVER
    except OSError:
        return _PASSED_OVER


def decoded(path: str, data: bytes) -> str:
    """Return the text of a lock file. Raises UserError."""
    # PowerShell's `pip freeze >` writes UTF-16, and pip reads it.
    coding = "utf-16" if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8"
    try:
        return data.decode(coding)
    except UnicodeDecodeError:
        _refuse(f"cannot read {path}: it is not UTF-8", WRITE_ANEW)


def _refuse(message: str, hint: str = NAME_FEWER) -> NoReturn:
    raise UserError(Code.POLICY_INVALID, message, hint)
