"""Put a pack and a reference into the host's git folder, without running git there.

In: the open git folder, a verified pack with its index, a name, a commit. Out: a new branch. Never:
a reference overwritten, a hook run, a file made under its last name before it is whole.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from cleanroom.backends.workspace.folders import facts_of, opened, split
from cleanroom.backends.workspace.place import Placer
from cleanroom.errors import Code, UserError

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def place_pack(git: int, pack: Path) -> None:
    """Copy `pack` (….pack) and its index, the index last: only then git sees it. Raises OSError."""
    placer = Placer(git)
    with opened(placer.make_folders("objects/pack")) as at:
        for file in (pack, pack.with_suffix(".idx")):
            if facts_of(at, file.name) is not None:
                continue  # the same name is the same content
            draft = f"tmp_cleanroom_{os.urandom(8).hex()}"
            with opened(os.open(draft, _NEW, 0o444, dir_fd=at)) as new:
                with file.open("rb") as source, os.fdopen(os.dup(new), "wb") as target:
                    shutil.copyfileobj(source, target)
                if placer.owner is not None:
                    os.fchown(new, *placer.owner)
                os.fsync(new)
            os.rename(draft, file.name, src_dir_fd=at, dst_dir_fd=at)


def judge_name(taken: set[str], name: str) -> None:
    """Raise UserError(conflict) if refs/heads/`name` exists, or is in the way of one that does."""
    ref = f"refs/heads/{name}"
    parents = {ref.rsplit("/", count)[0] for count in range(1, ref.count("/"))}
    near = [each for each in taken if each == ref or each.startswith(f"{ref}/") or each in parents]
    if near:
        raise _exists(min(near))


def place_branch(git: int, name: str, commit: str) -> None:
    """Make refs/heads/`name`. Raises UserError(conflict) if it exists meanwhile, OSError."""
    ref = f"refs/heads/{name}"
    placer = Placer(git)
    folder, last = split(ref)
    with opened(placer.make_folders(folder)) as at, _lock(at, last) as lock:
        if facts_of(at, last) is not None:
            raise _exists(ref)
        os.write(lock, f"{commit}\n".encode())
        if placer.owner is not None:
            os.fchown(lock, *placer.owner)
        os.rename(f"{last}.lock", last, src_dir_fd=at, dst_dir_fd=at)


@contextmanager
def _lock(at: int, name: str) -> Iterator[int]:
    """Git's own lock of a reference: nobody else writes it meanwhile."""
    try:
        lock = os.open(f"{name}.lock", _NEW, 0o644, dir_fd=at)
    except FileExistsError:
        message = f"cannot make the branch: git is writing '{name}' (there is a {name}.lock)"
        raise UserError(Code.CONFLICT, message, "try again") from None
    try:
        with opened(lock):
            yield lock
    finally:
        with suppress(FileNotFoundError):  # it was renamed
            os.unlink(f"{name}.lock", dir_fd=at)


def _exists(ref: str) -> UserError:
    message = f"cannot make the branch: {ref.removeprefix('refs/heads/')} exists"
    return UserError(Code.CONFLICT, message, "name another one: cleanroom apply --branch NAME")
