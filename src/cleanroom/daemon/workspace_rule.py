"""Which folders may be a workspace: the daemon asks again what the client asked before it.

In: a path of a request. Out: nothing, or a refusal. Never: `/`, a home folder, a folder that holds
one, a link, or another user's folder; a client that is not the command line could name them.
"""

import os
import pwd
import stat
from collections.abc import Iterable
from pathlib import Path

from cleanroom.errors import Code, Refused, UserError

_HINT = "name a project folder"


def judge_workspace(path: str, uid: int, homes: Iterable[str]) -> None:
    """Raise UserError for what is no canonical folder, Refused for one that is too much."""
    wanted = Path(path)
    try:
        canonical = path.startswith("/") and os.path.realpath(path, strict=True) == path
        found = wanted.lstat()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no path"
        message = f"cannot use the workspace: {why}"
        raise UserError(Code.REQUEST_INVALID, message, _HINT) from None
    if not canonical or not stat.S_ISDIR(found.st_mode):
        message = "cannot use the workspace: it is not the canonical path of a folder"
        raise UserError(Code.REQUEST_INVALID, message, _HINT)
    if path == "/" or any(Path(home).is_relative_to(wanted) for home in homes):
        message = f"cannot use {path} as a workspace: it holds a home folder, with all its secrets"
        raise Refused(Code.REQUEST_INVALID, message, _HINT)
    if uid not in (0, found.st_uid):
        message = f"cannot use {path} as a workspace: it belongs to uid {found.st_uid}, not to you"
        raise Refused(Code.REQUEST_INVALID, message, _HINT)


def homes_of(uid: int, named: str) -> tuple[str, ...]:
    """Return the user's home folders: HOME and what the user database says, canonical."""
    try:
        listed = pwd.getpwuid(uid).pw_dir
    except KeyError:
        listed = ""
    return tuple(os.path.realpath(home) for home in (named, listed) if home.startswith("/"))
