"""Folders of the host that a person names beside the workspace: judged, then shown.

In: MountRequests, the workspace, folders that nobody may name. Out: views. Never: a link, a home or
what holds one, the daemon's own folders, a folder of keys, or a folder of the system; writable,
also none that others own or in which the host keeps programs and settings.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cleanroom.api.mount_types import MountRequest
from cleanroom.backends.workspace.credentials import is_secret_folder
from cleanroom.backends.workspace.prepare import prepare_mount
from cleanroom.backends.workspace.scan import ScanCache
from cleanroom.daemon.parts import Side
from cleanroom.errors import Code, Refused, UserError
from cleanroom.sandbox.host import WorkspaceView

_SYSTEM: Final = ("/etc", "/proc", "/sys", "/dev", "/run", "/boot", "/var/log", "/var/spool")
_PROGRAMS: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/opt", "/snap", "/var/lib")
_KEYS: Final = (
    ".aws",
    ".azure",
    ".config",
    ".docker",
    ".gem",
    ".kube",
    ".mozilla",
    ".password-store",
)
_HINT: Final = "name a folder with what the command needs, and nothing else"


@dataclass(frozen=True, slots=True)
class Closed:
    """Folders of this host: `homes` may not be shown whole, `own` not at all."""

    homes: tuple[str, ...] = ()
    own: tuple[str, ...] = ()


NOTHING_CLOSED: Final = Closed()


def mount_views(
    requests: Sequence[MountRequest], workspace: str, closed: Closed, into: tuple[Path, ScanCache]
) -> tuple[WorkspaceView, ...]:
    """Judge all of them, then make their views below a folder. Raises UserError, Refused, Fault."""
    for request in requests:
        judge_mount(request.path, workspace, closed)
        if request.writable:
            _judge_writable(request.path, os.geteuid())
    folder, cache = into
    return tuple(
        prepare_mount(
            each.path,
            each.place,
            _folder_of(folder, number),
            cache,
            writable=each.writable,
        )
        for number, each in enumerate(requests)
    )


def shared_mounts(requests: Sequence[MountRequest], folder: Path) -> Iterator[Side]:
    """Return both sides of each writable mount of the sandbox whose folder this is."""
    for number, each in enumerate(requests):
        if each.writable:
            yield Side(each.path, _folder_of(folder, number), each.place, f"{each.place}/")


def _folder_of(folder: Path, number: int) -> Path:
    return folder / "mounts" / str(number)


def _judge_writable(path: str, uid: int) -> None:
    """Refuse what only may be read. Raises Refused."""
    owner = os.lstat(path).st_uid
    hidden = next((part for part in Path(path).parts if part.startswith(".")), "")
    why = ""
    if any(_within(path, folder) for folder in _PROGRAMS):
        why = "programs of the host are there"
    elif hidden:
        why = f"programs and settings of the host are kept in {hidden}"
    elif uid not in (0, owner):
        why = f"it belongs to uid {owner}, not to you"
    if why:
        raise Refused(Code.REQUEST_INVALID, f"cannot mount {path} writable: {why}", _HINT)


def judge_mount(path: str, workspace: str, closed: Closed) -> None:
    """Raise UserError for what is no canonical folder, Refused for what nobody may show."""
    try:
        canonical = path.startswith("/") and os.path.realpath(path, strict=True) == path
        is_folder = stat.S_ISDIR(os.lstat(path).st_mode)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no path"
        message = f"cannot mount {path!r}: {why}"
        raise UserError(Code.REQUEST_INVALID, message, _HINT) from None
    if not canonical or not is_folder:
        message = f"cannot mount {path!r}: it is not the canonical path of a folder"
        raise UserError(Code.REQUEST_INVALID, message, _HINT)
    why = _why_not(path, workspace, closed)
    if why:
        raise Refused(Code.REQUEST_INVALID, f"cannot mount {path}: {why}", _HINT)


def _why_not(path: str, workspace: str, closed: Closed) -> str:
    if path == "/" or any(_within(home, path) for home in closed.homes):
        return "it holds a home folder, with all its secrets"
    if any(_within(path, own) or _within(own, path) for own in closed.own):
        return "cleanroom keeps its own files there"
    if any(_within(path, folder) for folder in _SYSTEM):
        return "it is a folder of the system"
    if _within(path, workspace) or _within(workspace, path):
        return "the workspace is there, and inside already"
    secret = next((part for part in Path(path).parts if _is_secret(part)), "")
    return f"keys and credentials are kept in {secret}" if secret else ""


def _is_secret(name: str) -> bool:
    return is_secret_folder(name) or name in _KEYS


def _within(path: str, folder: str) -> bool:
    return Path(path).is_relative_to(folder)
