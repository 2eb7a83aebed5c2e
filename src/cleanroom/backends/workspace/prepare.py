"""Make the copy-on-write view of a repository that one sandbox will have.

In: the workspace root, the sandbox's own folder. Out: WorkspaceView, mounted by the backend.
Never: a change in the repository, or a file in the view that `credentials` names.
"""

import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Final

from cleanroom.backends.workspace.foreign import copy_foreign
from cleanroom.backends.workspace.gitfolder import GitFolder, find_git_folder
from cleanroom.backends.workspace.mask import git_configs, make_mask
from cleanroom.backends.workspace.saved import Places, Saved, load, save
from cleanroom.backends.workspace.scan import MAX_FOLDERS, Scan, ScanCache, scan
from cleanroom.backends.workspace.upkeep import remove_tree
from cleanroom.errors import Code, Fault
from cleanroom.sandbox.host import WORKSPACE, WorkspaceView
from cleanroom.sandbox.spec import Overlay

_SHOWN: Final = 3  # names in a note


def prepare(
    root: str, folder: Path, cache: ScanCache, *, writable: bool = True, at: str = ""
) -> WorkspaceView:
    """Make the view of `root` (canonical) in `folder`, which exists and is the sandbox's own.

    It is the workspace, or another folder, to be seen at `at` only.

    Called again for the same folder it keeps the upper layer and makes the mask anew. As root the
    upper layers are root's until the backend gives them to the sandbox's user. Raises Fault.
    """
    places = Places(folder)
    rootless = os.geteuid() != 0
    try:
        facts = os.lstat(root)
        git = find_git_folder(root)
        seen = scan(root, os.getegid() if rootless else None, cache)
        started_ns = _first_start(places, root)
        uncopied = copy_foreign(root, places.upper, seen.foreign) if writable else 0
        overlays = [
            Overlay(
                (at,) if at else (WORKSPACE, root),
                (_mask(places.mask, root, seen.left_out, _configs(root, git, seen)), root),
                str(places.upper),
                str(places.work),
                facts.st_uid,
                facts.st_gid,
                follows=True,
            )
        ]
        if git.common and not at:
            overlays.append(_git_overlay(places, git.common))
        save(folder, Saved(root, started_ns, seen.left_out, rootless))
    except OSError as error:
        message = f"cannot make a view of the workspace: {error.strerror} ({error.filename})"
        raise Fault(Code.RUNTIME_LAUNCH_FAILED, message) from error
    if not writable:
        overlays = [_read_only(overlay) for overlay in overlays]
    notes = tuple(_notes(git, seen, uncopied))
    return WorkspaceView(root, tuple(overlays), seen.left_out, notes, started_ns)


def prepare_mount(
    root: str, target: str, folder: Path, cache: ScanCache, *, writable: bool = False
) -> WorkspaceView:
    """Make a view of `root`, at `target` only, with the same files left out.

    `folder` is made. Raises Fault.
    """
    if writable:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        view = prepare(root, folder, cache, at=target)
        return replace(view, notes=tuple(f"{target}: {note}" for note in view.notes))
    try:
        facts = os.lstat(root)
        seen = scan(root, None, cache)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        mask = _mask(
            folder / "mask", root, seen.left_out, _configs(root, find_git_folder(root), seen)
        )
    except OSError as error:
        message = f"cannot make a view of {root}: {error.strerror} ({error.filename})"
        raise Fault(Code.RUNTIME_LAUNCH_FAILED, message) from error
    overlay = Overlay((target,), (mask, root), None, None, facts.st_uid, facts.st_gid, follows=True)
    notes = tuple(f"{target}: {note}" for note in _notes(GitFolder(), seen, 0))
    return WorkspaceView(root, (overlay,), seen.left_out, notes)


def _read_only(overlay: Overlay) -> Overlay:
    return replace(overlay, upper=None, work=None)


def _first_start(places: Places, root: str) -> int:
    """Make the upper layer, or find it; the time of its first making."""
    if places.upper.is_dir():
        return load(places.folder).started_ns
    _make_layers(places.upper, places.work, root)
    return places.work.stat().st_ctime_ns


def _make_layers(upper: Path, work: Path, root: str) -> None:
    """Empty layers; the upper's own mode is that of the merged root."""
    upper.parent.mkdir(mode=0o700)
    upper.mkdir()
    upper.chmod(stat.S_IMODE(os.lstat(root).st_mode) & 0o1777)
    work.mkdir(mode=0o700)


def _mask(mask: Path, root: str, hidden: tuple[str, ...], configs: list[str]) -> str:
    """Make the mask as a layer, anew each time; a layer even if it hides nothing yet.

    The last one may still be mounted: it is put aside, not emptied, until the next time.
    """
    aside = mask.with_name(f"{mask.name}-aside")
    if mask.exists():
        remove_tree(aside)
        mask.rename(aside)
    make_mask(mask, root, hidden, configs)
    return str(mask)


def _configs(root: str, git: GitFolder, seen: Scan) -> list[str]:
    """Those of the repository and of every one within."""
    folders = (*((git.inside,) if git.inside else ()), *seen.gits)
    return [path for folder in folders for path in git_configs(root, folder)]


def _git_overlay(places: Places, common: str) -> Overlay:
    """The main git folder of a worktree, at its own path."""
    if not places.git_upper.is_dir():
        _make_layers(places.git_upper, places.git_work, common)
    facts = os.lstat(common)
    mask = _mask(places.git_mask, common, (), git_configs(common, ""))
    return Overlay(
        (common,),
        (mask, common),
        str(places.git_upper),
        str(places.git_work),
        facts.st_uid,
        facts.st_gid,
        follows=True,
    )


def _notes(git: GitFolder, seen: Scan, uncopied: int) -> list[str]:
    notes = [git.note] if git.note else []
    if seen.left_out:
        notes.append(f"left out of the sandbox: {_named(seen.left_out)} (see .cleanroomignore)")
    if seen.dead:
        notes.append(f"leads to nobody inside, being a socket or a FIFO: {_named(seen.dead)}")
    if not seen.complete:
        notes.append(f"looked for keys and credentials in the first {MAX_FOLDERS} folders only")
    if uncopied:
        notes.append(f"{uncopied} files of another group cannot be changed inside")
    return notes


def _named(paths: tuple[str, ...]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return f"{', '.join(paths[:_SHOWN])}{more}"
