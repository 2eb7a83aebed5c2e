"""Which folder is the workspace, and the text of its policy.

In: the folder where the caller stands, and who they are. Out: Workspace. Never: a workspace that
holds a home folder or belongs to somebody else; a policy that is not a small regular file inside
the workspace.
"""

# pathlib costs 3 ms of every exec:
# ruff: noqa: PTH112, PTH116, PTH118, PTH120
import os
import stat
from typing import Final, NamedTuple, NoReturn

from cleanroom.errors import Code, Refused, UserError

POLICY_PATHS: Final = ("cleanroom.yaml", ".buildkite/cleanroom.yaml")  # the first one wins
POLICY_LIMIT: Final = 64 * 1024

_NAME_ONE: Final = "name one: cleanroom exec -C FOLDER …"


class Policy(NamedTuple):
    """The policy file as found; `text` None: there is none. `shadowed`: a second one is ignored."""

    path: str = ""
    text: str | None = None
    shadowed: bool = False


class Workspace(NamedTuple):
    """`root` is canonical; `subfolder` is where the caller stood, relative to it ("" for itself).

    `ignored` names a policy file between the two, which is not read.
    """

    root: str
    subfolder: str
    policy: Policy
    ignored: str = ""


class Caller(NamedTuple):
    """Who asks: their uid and the folders that are homes."""

    uid: int
    homes: tuple[str, ...]


def find_workspace(folder: str, caller: Caller) -> Workspace:
    """Return the workspace around `folder`: git top level, nearest policy, or itself.

    Raises Refused if that is "/", a home folder, one that contains a home, or not the caller's;
    UserError if the folder or its policy cannot be read.
    """
    try:
        start = os.path.realpath(folder, strict=True)
    except OSError as error:
        message = f"cannot use {folder}: {error.strerror}"
        raise UserError(Code.REQUEST_INVALID, message, _NAME_ONE) from None
    if not os.path.isdir(start):
        message = f"cannot use {folder}: it is not a folder"
        raise UserError(Code.REQUEST_INVALID, message, _NAME_ONE)
    root = _top_level(start) or _nearest_policy(start) or start
    check_root(root, caller)
    subfolder = os.path.relpath(start, root)
    return Workspace(
        root,
        "" if subfolder == "." else subfolder,
        read_policy(root, caller.uid),
        _ignored_policy(start, root),
    )


def check_root(root: str, caller: Caller) -> None:
    """Raise Refused if `root` must not be a workspace."""
    hint = f"go into a project folder, or {_NAME_ONE}"
    holds_home = any(_contains(root, os.path.realpath(home)) for home in caller.homes if home)
    if root == "/" or holds_home:
        message = f"cannot use {root} as a workspace: it holds a home folder, with all its secrets"
        raise Refused(Code.REQUEST_INVALID, message, hint)
    owner = os.stat(root).st_uid
    if owner != caller.uid:
        message = f"cannot use {root} as a workspace: it belongs to uid {owner}, not to you"
        raise Refused(Code.REQUEST_INVALID, message, hint)


def read_policy(root: str, uid: int) -> Policy:
    """Return the policy of the workspace; the file at the root wins over the one in .buildkite."""
    found = [path for path in POLICY_PATHS if os.path.lexists(os.path.join(root, path))]
    if not found:
        return Policy()
    data = read_inside(root, found[0], uid, POLICY_LIMIT)
    if len(data) > POLICY_LIMIT:
        _refuse(found[0], "it is larger than 64 KiB")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        _refuse(found[0], "it is not UTF-8")
    return Policy(found[0], text, shadowed=len(found) > 1)


def names_lockfiles(text: str | None) -> bool:
    """Tell whether the daemon has to be asked which lock files this policy names.

    Without this word it names none. Who writes it with YAML's escapes is refused by the daemon, as
    where none of the files exists; everybody else saves a call.
    """
    return "lockfiles" in (text or "")


def read_inside(root: str, path: str, uid: int, limit: int) -> bytes:
    """Read a regular file of the caller's, at most one byte above the limit.

    Raises UserError. SECURITY: judged on the open descriptor.
    """
    real = os.path.realpath(os.path.join(root, path))
    if not _contains(root, real):
        _refuse(path, "it leads out of the workspace")
    try:
        # O_NONBLOCK: opening a FIFO must not wait for its writer.
        descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        _refuse(path, error.strerror)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            _refuse(path, "it is not a regular file")
        if found.st_uid != uid:
            _refuse(path, f"it belongs to uid {found.st_uid}, not to you")
        return os.read(descriptor, limit + 1)
    finally:
        os.close(descriptor)


def _refuse(path: str, why: str | None) -> NoReturn:
    message = f"cannot read {path}: {why}"
    raise UserError(Code.POLICY_INVALID, message, "cleanroom policy validate")


def _top_level(start: str) -> str:
    """Return the nearest folder upward that git would call a top level, "" for none.

    A folder `.git`, or a file of that name in worktrees and submodules.
    """
    return _upward(start, (".git",))


def _nearest_policy(start: str) -> str:
    return _upward(start, POLICY_PATHS)


def _upward(start: str, names: tuple[str, ...]) -> str:
    folder = start
    while True:
        if any(os.path.lexists(os.path.join(folder, name)) for name in names):
            return folder
        parent = os.path.dirname(folder)
        if parent == folder:
            return ""
        folder = parent


def _ignored_policy(start: str, root: str) -> str:
    folder = start
    while folder != root:
        path = os.path.join(folder, POLICY_PATHS[0])
        if os.path.lexists(path):
            return os.path.relpath(path, root)
        folder = os.path.dirname(folder)
    return ""


def _contains(folder: str, path: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
