"""The plan of one sandbox as data; a backend carries it out.

In: a compiled policy and what the daemon learned of the host. Out: SandboxSpec.
Never: I/O, or a backend's own settings.
"""

from dataclasses import dataclass

from cleanroom.policy.demands import Capability, Limits


@dataclass(frozen=True, slots=True)
class Bind:
    """`source` of the host appears at `target`, read-only unless `writable`.

    `still`: a small file that everybody may read; as it is at the start will do.
    """

    source: str
    target: str
    writable: bool = False
    still: bool = False


@dataclass(frozen=True, slots=True)
class Overlay:
    """A copy-on-write view: `lowers` (topmost first) under `upper`, at each of `targets`.

    Without `upper` it is read-only, and still refuses host sockets and FIFOs, which a bind does
    not. `owner_uid` is the host uid that owns the files of the lowest layer. `follows`: it is
    mounted anew before a command, so that edits of the host show, also if it is read-only.
    `most_bytes`: how much its upper layer may hold by itself; 0: it counts with all others.
    """

    targets: tuple[str, ...]
    lowers: tuple[str, ...]
    upper: str | None = None
    work: str | None = None
    owner_uid: int = 0
    owner_gid: int = 0
    follows: bool = False
    most_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Tmpfs:
    """An empty folder in memory of at most `size_bytes`, owned by the sandbox's user."""

    target: str
    size_bytes: int
    mode: int = 0o755


@dataclass(frozen=True, slots=True)
class Symlink:
    """`target` is a symbolic link with the text `points_to`."""

    points_to: str
    target: str


@dataclass(frozen=True, slots=True)
class File:
    """A generated read-only file with this content."""

    content: bytes
    target: str
    mode: int = 0o644


Mount = Bind | Overlay | Tmpfs | Symlink | File


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """One sandbox. Mounts are carried out in order; a fresh /proc and /dev are always made.

    Inside, the user is always `uid`:`gid` (1000:1000, name "cleanroom"), whatever it is outside.
    `environment` is whole: nothing of the daemon's own environment is added to it.
    """

    sandbox_id: str
    hostname: str
    mounts: tuple[Mount, ...]
    environment: tuple[tuple[str, str], ...]
    cwd: str
    limits: Limits
    needs: frozenset[Capability]
    uid: int = 1000
    gid: int = 1000


@dataclass(frozen=True, slots=True)
class Command:
    """One command for the agent: `argv` is executed as it is, with exactly this environment."""

    argv: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    cwd: str
    tty: bool = False
    rows: int = 24
    columns: int = 80
