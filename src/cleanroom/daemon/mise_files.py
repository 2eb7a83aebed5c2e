"""What the host knows of mise: files of a workspace as bytes, the program and its checksum.

In: a workspace, names, settings, the caller's PATH. Out: contents, Program. Never: the program
started, a link followed, or a program that somebody else can write.
"""

import asyncio
import hashlib
import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cleanroom.backends.host import find_program
from cleanroom.backends.workspace import folders
from cleanroom.daemon.settings import MiseSettings
from cleanroom.errors import Code, Refused, UserError
from cleanroom.sandbox.mise import MAX_FILE_BYTES

_USUAL: Final = "/usr/local/bin:/usr/bin:/opt/mise/bin"
_ELF: Final = b"\x7fELF"
_MACHINES: Final = {"x86_64": "x64", "aarch64": "arm64"}  # as npm packages say it
_OTHERS_WRITE: Final = 0o022


@dataclass(frozen=True, slots=True)
class Program:
    """The mise program: a path without links, and the SHA-256 of its bytes."""

    path: str
    digest: str


def read_files(workspace: str, names: Iterable[str]) -> dict[str, bytes]:
    """Return those of these files that exist. Raises UserError for one that is no plain file."""
    try:
        top = os.open(workspace, folders.FOLDER)
    except OSError:
        return {}  # whoever prepares the workspace says what is wrong with it
    with folders.opened(top):
        found = ((name, _read(top, name)) for name in names)
        return {name: content for name, content in found if content is not None}


class Programs:
    """Finds and measures mise; a file that has not changed is read once."""

    def __init__(self, settings: MiseSettings) -> None:
        self._settings = settings
        self._known: dict[tuple[str | int, ...], str] = {}

    async def find(self, caller_path: str) -> Program | None:
        """Return the program; None if there is none.

        Raises UserError for a configured one that is not there, Refused(integrity_mismatch).
        """
        return await asyncio.to_thread(self._find, caller_path)

    def _find(self, caller_path: str) -> Program | None:
        path = self._locate(caller_path)
        if not path:
            return None
        facts = Path(path).stat()
        known = (path, facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns)
        if known not in self._known:
            self._known[known] = _digest(path)
        digest, wanted = self._known[known], self._settings.sha256
        if wanted and digest != wanted:
            message = f"cannot use {path}: its SHA-256 is {digest}"
            raise Refused(Code.INTEGRITY_MISMATCH, message, "mise.sha256 of config.yaml differs")
        return Program(path, digest)

    def _locate(self, caller_path: str) -> str:
        if self._settings.program:
            path = os.path.realpath(self._settings.program)
            found = _binary(path)
            if not found:
                message = f"cannot use {self._settings.program} as mise: it is no program"
                raise UserError(Code.REQUEST_INVALID, message, "mise.program of config.yaml")
            return found
        for folder in (caller_path, _USUAL):
            places = find_program("mise", folder)
            if places and (found := _binary(places[-1])):
                return found
        return ""


def _binary(path: str) -> str:
    """Return the program itself: of a script of npm's, the binary in the package beside it."""
    if _is_ours(path):
        with Path(path).open("rb") as file:
            if file.read(len(_ELF)) == _ELF:
                return path
    for parent in Path(path).parents:
        if parent.name == "@jdxcode":
            machine = _MACHINES.get(platform.machine(), "")
            inner = str(parent / f"mise-linux-{machine}" / "bin" / "mise")
            return _binary(inner) if inner != path else ""
    return ""


def _is_ours(path: str) -> bool:
    """Whether only this user, or root, can have written it."""
    try:
        facts = Path(path).stat()
    except OSError:
        return False
    mine = facts.st_uid in (0, os.geteuid()) and not facts.st_mode & _OTHERS_WRITE
    return mine and os.access(path, os.R_OK | os.X_OK) and Path(path).is_file()


def _digest(path: str) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(top: int, name: str) -> bytes | None:
    folder, last = folders.split(name)
    at = folders.open_at(top, folder)
    if at is None:
        return None
    with folders.opened(at):
        if folders.facts_of(at, last) is None:
            return None
        fd = folders.open_plain(at, last)
        if fd is None:
            raise _unreadable(name, "it is no plain file that can be read")
        with folders.opened(fd), os.fdopen(os.dup(fd), "rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise _unreadable(name, f"it is larger than {MAX_FILE_BYTES} bytes")
    return content


def _unreadable(name: str, why: str) -> UserError:
    message = f"cannot read {name}: {why}"
    hint = "replace it, or say sandbox.mise.enabled: false"
    return UserError(Code.REQUEST_INVALID, message, hint)
