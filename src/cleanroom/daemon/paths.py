"""Where the daemon's files live, by the XDG rules; every folder of its own is 0700.

In: an environment and a uid. Out: Paths. Never: a folder below /tmp, or one that somebody else
can write to.
"""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cleanroom.errors import Code, Fault

MAX_SOCKET_BYTES: Final = 107  # sun_path of unix(7), less its NUL


@dataclass(frozen=True, slots=True)
class Paths:
    """All folders and files of one daemon."""

    state: Path
    config: Path  # config.yaml
    socket: Path  # the default one

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.state / "state.db"

    @property
    def audit(self) -> Path:
        """The folder of the audit log."""
        return self.state / "audit"

    @property
    def runs(self) -> Path:
        """The folder of the run records."""
        return self.state / "runs"

    @property
    def sandboxes(self) -> Path:
        """The folder of the sandboxes' own folders."""
        return self.state / "sandboxes"


def paths_of(environment: Mapping[str, str], uid: int) -> Paths:
    """Return the paths of a user's daemon, or of root's, which has the systemd folders."""
    if uid == 0:
        state = Path(environment.get("XDG_STATE_HOME") or "/var/lib", "cleanroom")
        config = Path(environment.get("XDG_CONFIG_HOME") or "/etc", "cleanroom", "config.yaml")
        return Paths(state, config, _socket(environment, uid, state))
    home = Path(environment.get("HOME") or "/")
    state = Path(environment.get("XDG_STATE_HOME") or home / ".local/state", "cleanroom")
    config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config", "cleanroom/config.yaml")
    return Paths(state, config, _socket(environment, uid, state))


def _socket(environment: Mapping[str, str], uid: int, state: Path) -> Path:
    runtime = environment.get("XDG_RUNTIME_DIR", "")
    if runtime.startswith("/"):
        return Path(runtime, "cleanroom", "cleanroom.sock")
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
