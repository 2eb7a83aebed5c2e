"""Where the daemon listens: a flag, CLEANROOM_HOST, or the default path of this user.

In: `--host` and the environment. Out: Endpoint. Never: a path under /tmp, or one too long for a
unix socket.
"""

import os
import stat
from collections.abc import Mapping
from typing import Final, NamedTuple

from cleanroom.errors import Code, UsageError, UserError

SOCKET_PATH_LIMIT: Final = 107  # bytes of sockaddr_un.sun_path without its NUL (unix(7))


class Endpoint(NamedTuple):
    """A unix socket's path; `chosen` says that a person named it, so nothing is started there."""

    path: str
    chosen: bool

    @property
    def url(self) -> str:
        """What `--host` and `serve --listen` take."""
        return f"unix://{self.path}"


def find_endpoint(host: str | None, environ: Mapping[str, str], uid: int) -> Endpoint:
    """Return the endpoint to use: `host`, else CLEANROOM_HOST, else the default.

    Raises UsageError for anything but unix:///PATH, UserError if the path is too long.
    """
    url = host or environ.get("CLEANROOM_HOST") or ""
    path = path_of(url) if url else default_socket(environ, uid)
    if len(os.fsencode(path)) > SOCKET_PATH_LIMIT:
        message = f"cannot use the socket {path}: it is longer than {SOCKET_PATH_LIMIT} bytes"
        raise UserError(Code.REQUEST_INVALID, message, "name a shorter one: --host unix:///PATH")
    return Endpoint(path, chosen=bool(url))


def path_of(url: str) -> str:
    """Return the path of a unix:// URL."""
    path = url.removeprefix("unix://")
    if path == url or not path.startswith("/"):
        message = f"cannot use {url!r} as the daemon's address"
        raise UsageError(Code.REQUEST_INVALID, message, "write --host unix:///PATH")
    return path


def default_socket(environ: Mapping[str, str], uid: int) -> str:
    """Return the path that `cleanroom serve` listens on when nothing is said."""
    return f"{runtime_folder(environ, uid)}/cleanroom.sock"


def runtime_folder(environ: Mapping[str, str], uid: int) -> str:
    """Return this user's folder for sockets; it need not exist yet.

    XDG_RUNTIME_DIR is unset under su, cron and in containers: then /run/user/UID if it is this
    user's own, else a folder beside the state. Root has systemd's place for services.
    """
    named = environ.get("XDG_RUNTIME_DIR", "")
    if named.startswith("/"):
        return f"{named}/cleanroom"
    if uid == 0:
        return "/run/cleanroom"
    usual = f"/run/user/{uid}"
    if _is_own_folder(usual, uid):
        return f"{usual}/cleanroom"
    return f"{state_folder(environ, uid)}/run"


def state_folder(environ: Mapping[str, str], uid: int) -> str:
    """Return this user's folder for state; it need not exist yet."""
    named = environ.get("XDG_STATE_HOME", "")
    if named.startswith("/"):
        return f"{named}/cleanroom"
    if uid == 0:
        return "/var/lib/cleanroom"
    return f"{home_of(environ, uid)}/.local/state/cleanroom"


def home_of(environ: Mapping[str, str], uid: int) -> str:
    """Return HOME, or what the user database says. Raises UserError if neither names one."""
    home = environ.get("HOME", "")
    if home.startswith("/"):
        return home
    home = passwd_home(uid)
    if home:
        return home
    message = "cannot find your home folder: HOME is not set"
    raise UserError(Code.REQUEST_INVALID, message, "export HOME=/path/of/your/home")


def passwd_home(uid: int) -> str:
    """Return the home that the user database names for `uid`, "" for none."""
    import pwd  # noqa: PLC0415 -- needed on almost no call, and may ask a directory server

    try:
        return pwd.getpwuid(uid).pw_dir
    except KeyError:
        return ""


def _is_own_folder(path: str, uid: int) -> bool:
    try:
        found = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == uid
