"""The plan of one sandbox on Linux namespaces, as data.

In: a SandboxSpec and a Place (who and where on this host). Out: the launcher's steps, ending with
bubblewrap's argv, and the files to pass. Never: I/O; a weaker plan than the spec.
"""

import os.path
import sys
from dataclasses import dataclass, field
from typing import Final, assert_never

from cleanroom.backends.launcher import FIRST_FD, SECCOMP_FD, STAGE, Step
from cleanroom.sandbox.spec import Bind, File, Mount, Overlay, SandboxSpec, Symlink, Tmpfs

AGENT: Final = "/.cleanroom/agent"
AGENT_FD: Final = FIRST_FD
INFO_FD: Final = FIRST_FD + 1
_FILES: Final = 2  # the index of the first file among the passed descriptors
_SHM_BYTES: Final = 512 * 1024 * 1024

_FIXED: Final = (
    "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
    "--disable-userns",  # no user namespace of its own, so no capability over anything, ever
    "--as-pid-1",  # the agent is process 1: nothing stands between it and the workload
    "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv",
    "--seccomp", str(SECCOMP_FD), "--info-fd", str(INFO_FD),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ids:
    """A user and a group by number."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Place:
    """Who and where. `host` is the sandbox's own user on this host, never 0 unless `rootless`.

    `rootless`: the daemon is the ordinary user `host` and makes a user namespace. `owners` are the
    owners of overlay lowers that are not the lowest (which the spec states itself).
    """

    bubblewrap: str
    agent: str
    rootless: bool
    host: Ids
    owners: dict[str, Ids] = field(default_factory=dict)
    cgroups: tuple[str, ...] = ()
    agent_limits: tuple[tuple[str, int], ...] = ()  # ("nofile", 1024): its options


@dataclass(frozen=True, slots=True)
class Plan:
    """What to carry out. Descriptors to pass: the agent's socket, the info pipe, then `files`."""

    steps: tuple[Step, ...]
    files: tuple[bytes, ...]


@dataclass(slots=True)
class _Draft:
    """A plan in the making. No folder in memory may be larger than `memory_folder_bytes`."""

    memory_folder_bytes: int = sys.maxsize
    root: list[Step] = field(default_factory=list)
    mounted: list[str] = field(default_factory=list)  # targets so far, below which is not the root
    take: list[Step] = field(default_factory=list)
    idmap: list[Step] = field(default_factory=list)
    overlay: list[Step] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    files: list[bytes] = field(default_factory=list)


def make_plan(spec: SandboxSpec, place: Place) -> Plan:
    """Return the plan. Same input, same plan."""
    draft = _Draft(_memory_folder_bytes(spec))
    for index, mount in enumerate(spec.mounts):
        _add(draft, mount, index, place)
    draft.take.append(Step("take", ("agent", place.agent, "lp")))
    draft.root.append(Step("place", ("agent", AGENT)))
    draft.root += (Step("dir", (folder,)) for folder in ("/proc", "/dev"))
    steps = [
        *([Step("cgroup", place.cgroups)] if place.cgroups else []),
        *([_userns(place)] if place.rootless else []),
        Step("netns"),
        Step("door"),
        Step("mountns"),
        *draft.take,
        *draft.idmap,
        Step("stage"),
        *draft.root,
        *draft.overlay,
        Step("rlimit", ("core", "0")),
        # SECURITY: after the mounts, before the wait: nothing of ours runs with rights meanwhile.
        Step("drop", ("0", "0") if place.rootless else (str(place.host.uid), str(place.host.gid))),
        Step("wait"),
        Step("exec", (place.bubblewrap, *_bubblewrap(spec, place, draft))),
    ]
    return Plan(tuple(steps), tuple(draft.files))


def _memory_folder_bytes(spec: SandboxSpec) -> int:
    """Return how large each folder in memory may be.

    Files there count as memory that nothing can reclaim: full folders must leave a quarter of the
    limit, or no later command could start. What is written there is also written: none of them
    is a way around a disk limit.
    """
    most = sys.maxsize if spec.limits.disk_bytes is None else spec.limits.disk_bytes
    if spec.limits.memory_bytes is None:
        return most
    folders = 1 + sum(isinstance(mount, Tmpfs) for mount in spec.mounts)  # and /dev/shm
    return min(most, spec.limits.memory_bytes * 3 // 4 // folders)


def _userns(place: Place) -> Step:
    return Step("userns", (str(place.host.uid), str(place.host.gid)))


def make_refresh(spec: SandboxSpec, place: Place) -> tuple[Step, ...]:
    """Return the steps that mount those overlays of a running sandbox anew that follow the host.

    For a launcher that is given a pidfd of the sandbox's process 1 and, rootless, the user
    namespace that the first launcher made.
    """
    draft = _Draft()
    targets: list[str] = []
    attach: list[Step] = []
    for index, mount in enumerate(spec.mounts):
        if isinstance(mount, Overlay) and mount.follows:
            _add_overlay(draft, mount, index, place)
            attach += (Step("attach", (f"o{index}", target)) for target in mount.targets)
            targets += mount.targets
    if not targets:
        return ()
    return (
        *([Step("enter")] if place.rootless else []),
        Step("mountns"),
        *draft.take,
        *draft.idmap,
        Step("stage"),
        Step("detach", tuple(targets)),  # first: two mounts may not share an upper
        *draft.overlay,
        *attach,
        Step("done"),
    )


def _bubblewrap(spec: SandboxSpec, place: Place, draft: _Draft) -> list[str]:
    limits = [word for name, value in place.agent_limits for word in (f"--{name}", str(value))]
    return [
        *_FIXED,
        "--uid", str(spec.uid), "--gid", str(spec.gid), "--hostname", spec.hostname,
        "--ro-bind", f"{STAGE}/root", "/",
        *draft.options,
        "--proc", "/proc",
        "--ro-bind", "/proc/sys", "/proc/sys",
        "--dev", "/dev",
        "--perms", "1777", "--size", str(min(_SHM_BYTES, draft.memory_folder_bytes)),
        "--tmpfs", "/dev/shm",  # noqa: S108
        "--remount-ro", "/dev",  # bubblewrap's tmpfs has no size limit
        "--chdir", "/",
        "--", AGENT, str(AGENT_FD), *limits,
    ]  # fmt: skip


def _add(draft: _Draft, mount: Mount, index: int, place: Place) -> None:
    match mount:
        case Bind():
            _add_bind(draft, mount, f"b{index}")
        case Overlay():
            _add_overlay(draft, mount, index, place)
            how = "--ro-bind" if mount.upper is None else "--bind"
            for target in mount.targets:
                _add_option(draft, (how, f"{STAGE}/o{index}"), target)
        case Tmpfs(target, size_bytes, mode):
            size = str(min(size_bytes, draft.memory_folder_bytes))
            _add_option(draft, ("--perms", f"{mode:04o}", "--size", size, "--tmpfs"), target)
        case Symlink(points_to, target):
            if _in_root(draft, target):
                draft.root.append(Step("link", (points_to, target)))
            else:
                draft.options += ("--symlink", points_to, target)
        case File(content, target, mode):
            _add_file(draft, content, target, f"{mode:04o}")
        case _:
            assert_never(mount)


def _in_root(draft: _Draft, target: str) -> bool:
    """Whether `target` is in the read-only root that the launcher makes itself.

    It is not if it lies in something mounted before; then bubblewrap puts it there, in order.
    """
    return not any(target == each or target.startswith(f"{each}/") for each in draft.mounted)


def _add_option(draft: _Draft, option: tuple[str, ...], target: str) -> None:
    """Something that bubblewrap mounts; the root needs a folder to mount it on."""
    if _in_root(draft, target):
        draft.root.append(Step("dir", (target,)))
    draft.options += (*option, target)
    draft.mounted.append(target)


def _add_bind(draft: _Draft, bind: Bind, name: str) -> None:
    source, target = bind.source, bind.target
    in_root = _in_root(draft, target)
    if in_root and bind.still:
        draft.root.append(Step("copy", (source, target)))
        return
    if in_root and not bind.writable:
        draft.take.append(Step("take", (name, source, "rlp")))
        draft.root.append(Step("place", (name, target)))
        draft.mounted.append(target)
        return
    draft.take.append(Step("take", (name, source, "rl")))
    how = "--bind" if bind.writable else "--ro-bind"
    if in_root:
        draft.root.append(Step("dir", (target,)))
    draft.options += (how, f"{STAGE}/{name}", target)
    draft.mounted.append(target)


def _add_file(draft: _Draft, content: bytes, target: str, mode: str) -> None:
    index = _FILES + len(draft.files)
    draft.files.append(content)
    if _in_root(draft, target):
        draft.root.append(Step("file", (str(index), target, mode)))
    else:
        draft.options += ("--perms", mode, "--ro-bind-data", str(FIRST_FD + index), target)


def _add_overlay(draft: _Draft, mount: Overlay, index: int, place: Place) -> None:
    flags = "r" if place.rootless else ""  # a user namespace may only copy a mount whole
    lowers = []
    for depth, lower in enumerate(mount.lowers):
        name = f"l{index}.{depth}"
        draft.take.append(Step("take", (name, lower, flags)))
        lowers.append(f"{STAGE}/{name}")
        lowest = depth == len(mount.lowers) - 1
        owner = Ids(mount.owner_uid, mount.owner_gid) if lowest else place.owners.get(lower)
        _show_owner(draft, name, owner, place)
    options = []
    if mount.upper is not None and mount.work is not None:
        parent = os.path.commonpath((mount.upper, mount.work))  # overlayfs wants one mount for both
        draft.take.append(Step("take", (f"u{index}", parent, flags)))
        upper, work = (os.path.relpath(path, parent) for path in (mount.upper, mount.work))
        options = [f"upperdir={STAGE}/u{index}/{upper}", f"workdir={STAGE}/u{index}/{work}"]
    elif len(lowers) == 1:
        lowers.insert(0, f"{STAGE}/empty")  # overlayfs wants two where nothing is written
    # The upper must stay plain files: it is the change set. With userxattr redirects are off
    # already, and the kernel refuses to be told so.
    options += ["userxattr"] if place.rootless else ["redirect_dir=off"]
    options += ["metacopy=off", "index=off"]
    draft.overlay.append(
        Step("overlay", (f"o{index}", ",".join([f"lowerdir={':'.join(lowers)}", *options])))
    )


def _show_owner(draft: _Draft, name: str, owner: Ids | None, place: Place) -> None:
    """As host root: what `owner` owns appears as the sandbox's own. Rootless it is so anyway."""
    if place.rootless or owner is None or owner == place.host:
        return
    ids = (owner.uid, place.host.uid, owner.gid, place.host.gid)
    draft.idmap.append(Step("idmap", (name, *map(str, ids))))
