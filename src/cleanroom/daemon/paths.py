"""Where the daemon's files live, by the XDG rules; every folder of its own is 0700.

In: an environment and a uid. Out: Paths. Never: a folder below /tmp, or one that somebody else
can write to.
"""

import os
import pwd
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cleanroom.errors import Code, Fault, UserError

_STATE: Final = ".local/state"
_CONFIG: Final = ".config"
_CACHE: Final = ".cache"
MAX_SOCKET_BYTES: Final = 107  # sun_path of unix(7), less its NUL


@dataclass(frozen=True, slots=True)
class Paths:
    """All folders and files of one daemon."""

    state: Path
    config: Path  # config.yaml
    socket: Path  # the default one
    cache: Path  # everything in it can be made again

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.state / "state.db"

    @property
    def lock(self) -> Path:
        """The file that the one daemon of this state holds."""
        return self.state / "daemon.lock"

    @property
    def audit(self) -> Path:
        """The folder of the audit log."""
        return self.state / "audit"

    @property
    def runs(self) -> Path:
        """The folder of the run records."""
        return self.state / "runs"

    @property
    def outputs(self) -> Path:
        """The folder of what commands wrote."""
        return self.state / "outputs"

    @property
    def content(self) -> Path:
        """The folder of the content cache."""
        return self.cache / "content"

    @property
    def volumes(self) -> Path:
        """The folder of the volumes."""
        return self.state / "volumes"

    @property
    def sandboxes(self) -> Path:
        """The folder of the sandboxes' own folders."""
        return self.state / "sandboxes"


def paths_of(environment: Mapping[str, str], uid: int) -> Paths:
    """Return the paths of a user's daemon, or of root's, which has the systemd folders.

    Raises UserError if the user has no home folder.
    """
    state = _named(environment, "XDG_STATE_HOME") or _usual(environment, uid, "/var/lib", _STATE)
    config = _named(environment, "XDG_CONFIG_HOME") or _usual(environment, uid, "/etc", _CONFIG)
    cache = _named(environment, "XDG_CACHE_HOME") or _usual(environment, uid, "/var/cache", _CACHE)
    own = state / "cleanroom"
    return Paths(
        state=own,
        config=config / "cleanroom" / "config.yaml",
        socket=_socket(environment, uid, own),
        cache=cache / "cleanroom",
    )


def _named(environment: Mapping[str, str], variable: str) -> Path | None:
    """Return an XDG folder; a relative one is to be ignored (XDG Base Directory, "Basics")."""
    said = environment.get(variable, "")
    return Path(said) if said.startswith("/") else None


def _usual(environment: Mapping[str, str], uid: int, service: str, below_home: str) -> Path:
    return Path(service) if uid == 0 else _home(environment, uid) / below_home


def _home(environment: Mapping[str, str], uid: int) -> Path:
    said = environment.get("HOME", "")
    if said.startswith("/"):
        return Path(said)
    try:
        return Path(pwd.getpwuid(uid).pw_dir)
    except KeyError:
        message = "cannot find your home folder: HOME is not set"
        raise UserError(Code.REQUEST_INVALID, message, "export HOME=/path/of/your/home") from None


def _socket(environment: Mapping[str, str], uid: int, state: Path) -> Path:
    runtime = _named(environment, "XDG_RUNTIME_DIR")
    if runtime is not None:
        return runtime / "cleanroom" / "cleanroom.sock"
    if uid == 0:
        return Path("/run/cleanroom/cleanroom.sock")
    own = Path(f"/run/user/{uid}")
    if own.is_dir() and own.stat().st_uid == uid:
        return own / "cleanroom" / "cleanroom.sock"
    return state / "run" / "cleanroom.sock"


def make_private(folder: Path) -> None:
    """Make a folder that only this user can enter, or check the one that is there.

    Raises Fault(internal) if it cannot be made, is somebody else's, or is no folder.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
        if stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid():
            folder.chmod(0o700)
            return
    except OSError as error:
        message = f"cannot make the folder {folder}: {error.strerror}"
        raise Fault(Code.INTERNAL, message) from error
    message = f"cannot use {folder}: it is not a folder of this user"
    raise Fault(Code.INTERNAL, message, "move it away")
