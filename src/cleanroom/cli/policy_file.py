"""Writing the policy file, on the person's own word (`suggest --write`, `init`).

In: the workspace and a whole new text. Out: the file, replaced in one step. Never: a file that
changed since it was read, or one that exists and was not asked to be replaced.
"""

import os
import tempfile
from difflib import unified_diff
from pathlib import Path

from cleanroom.client.workspace import POLICY_PATHS, Workspace, read_policy
from cleanroom.errors import Code, Refused, UserError


def write_policy(workspace: Workspace, text: str) -> Path:
    """Replace the workspace's policy, or create it; return its path.

    Raises Refused(conflict) if it changed since `workspace` was read.
    """
    if read_policy(workspace.root, os.getuid()) != workspace.policy:
        message = "cannot write the policy: it changed since it was read"
        raise Refused(Code.CONFLICT, message, "try again")
    # resolve: a link inside the workspace stays a link, its target is replaced.
    path = (Path(workspace.root) / (workspace.policy.path or POLICY_PATHS[0])).resolve()
    try:
        replace(path, text)
    except OSError as error:
        message = f"cannot write {path}: {error.strerror}"
        hint = "see the text, to put it there by hand: init --print, policy suggest"
        raise UserError(Code.REQUEST_INVALID, message, hint) from None
    return path


def replace(path: Path, text: str) -> None:
    """Write a new file beside `path` and rename it over; the old mode is kept. Raises OSError."""
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    new = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        new.chmod(mode)
        new.rename(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def changed_lines(path: str, before: str, after: str) -> str:
    """Return a unified diff of the two texts."""
    lines = unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), f"a/{path}", f"b/{path}"
    )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
