"""Bring commits made inside onto the host as a branch: objects are carried over, nothing is run.

In: the folder of a sandbox, a name. Out: Brought. Never: git on the sandbox's configuration or in
the host's repository; an object that git's own strict check refuses, a link that leads out, or a
branch that exists overwritten.

Two repositories of ours: in the first lie the sandbox's objects, over the host's; what the branch
needs of them is packed. The second sees only the host's, and takes that pack as a server takes a
push: every object is hashed anew, checked, and all it points to must be there.
"""

import asyncio
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cleanroom.backends.workspace import commits, gitout
from cleanroom.backends.workspace.carry import Budget, copy_objects
from cleanroom.backends.workspace.changes import Skipped
from cleanroom.backends.workspace.folders import FOLDER, opened
from cleanroom.backends.workspace.gitfolder import find_git_folder
from cleanroom.backends.workspace.gitrun import MAX_OUTPUT, GitError, Scratch
from cleanroom.backends.workspace.gitview import GitView, is_ref
from cleanroom.backends.workspace.guard import guarded
from cleanroom.backends.workspace.links import landing
from cleanroom.backends.workspace.sources import open_sources
from cleanroom.backends.workspace.upkeep import remove_tree
from cleanroom.errors import Code, Fault, Refused, UserError

AS_PATCH: Final = "cleanroom diff --patch | git apply"
_NO_COMMITS: Final = "cannot make a branch: no commit was made inside"


@dataclass(frozen=True, slots=True)
class Brought:
    """`count` commits up to `commit`. `notable`: paths in them to be looked at before a merge."""

    branch: str
    commit: str
    count: int
    notable: tuple[Skipped, ...] = ()


async def bring_branch(folder: Path, name: str, *, check: bool = False) -> Brought:
    """Make the branch (or, under `check`, only judge). Raises UserError, Refused, Fault."""
    if not is_ref(f"refs/heads/{name}") or name == "HEAD":
        message = f"cannot make a branch named '{name}'"
        raise UserError(Code.REQUEST_INVALID, message, "letters, digits, '-', '_', '.' and '/'")
    work = folder / f"carry-{secrets.token_hex(8)}"
    try:
        work.mkdir(mode=0o700)
        with _view(folder) as (view, git):
            return await _bring(view, git, work, _Wanted(name, check))
    except GitError as error:
        message = f"cannot bring the commits out: git refuses them: {error}"
        raise Refused(Code.CONFLICT, message, "repair them inside: git fsck --strict") from error
    except OSError as error:
        message = f"cannot make the branch: '{error.filename}': {error.strerror}"
        raise Fault(Code.INTERNAL, message) from error
    finally:
        await asyncio.to_thread(remove_tree, work)


def has_commits(folder: Path) -> bool:
    """Return whether HEAD inside is another commit than the host's: `bring_branch` may have it."""
    try:
        with _view(folder) as (view, _):
            tip = view.tip()
            return tip is not None and tip != view.host_tip()
    except (UserError, Fault, OSError):  # no repository, or a layer is gone: nothing to bring
        return False


@dataclass(frozen=True, slots=True)
class _Wanted:
    name: str
    check: bool


@contextmanager
def _view(folder: Path) -> Iterator[tuple[GitView, str]]:
    """The git folder over both layers, and where the host's is."""
    with open_sources(folder) as sources:
        found = find_git_folder(sources.saved.host_path)
        if found.inside:
            view = GitView(sources.upper, sources.root, found.inside)
            yield view, f"{sources.saved.host_path}/{found.inside}"
            return
        if not found.common:
            message = "cannot make a branch: this is no git repository"
            raise UserError(Code.REQUEST_INVALID, message, "leave out --branch: cleanroom apply")
        own = Path(sources.saved.host_path, ".git").read_text(encoding="utf-8").strip()
        head = f"worktrees/{own.rpartition('/')[2]}/HEAD"
        with (
            opened(os.open(sources.places.git_upper, FOLDER)) as upper,
            opened(os.open(found.common, FOLDER)) as lower,
        ):
            yield GitView(upper, lower, "", head), found.common


async def _bring(view: GitView, git: str, work: Path, wanted: _Wanted) -> Brought:
    tip = view.tip()
    if tip is None or tip == view.host_tip():
        raise UserError(Code.REQUEST_INVALID, _NO_COMMITS, "git commit inside, then apply again")
    gitout.judge_name(view.host_refs(), wanted.name)
    _judge_storage(view, git)
    first, second = Scratch(work / "first"), Scratch(work / "second")
    kind = "sha256" if len(tip) == 64 else "sha1"
    for scratch in (first, second):
        await scratch.init(kind, f"{git}/objects", view.shallow())
    for pack in await asyncio.to_thread(copy_objects, view, first.folder, Budget()):
        with opened(os.open(pack, os.O_RDONLY)) as file:
            await first.run("index-pack", "--stdin", stdin=file)
    known = await _known(second, view.known())
    revisions = "".join([f"{tip}\n", *(f"^{each}\n" for each in known)]).encode()
    count = int(await first.run("rev-list", "--count", "--stdin", stdin=revisions))
    if count:
        packed = await first.run("pack-objects", "--revs", "-q", str(work / "out"), stdin=revisions)
        with opened(os.open(work / f"out-{packed.decode().strip()}.pack", os.O_RDONLY)) as file:
            await second.run("index-pack", "--strict", "--stdin", stdin=file)
    await second.run("rev-list", "--objects", "--quiet", "--stdin", stdin=revisions)
    notable = await _judge_content(second, revisions, tip)
    if not wanted.check:
        await asyncio.to_thread(_publish, git, second.folder, wanted.name, tip)
    return Brought(wanted.name, tip, count, notable)


def _judge_storage(view: GitView, git: str) -> None:
    if "reftable" in view.config().lower():
        message = "cannot make a branch: this repository keeps its references in a reftable"
        raise Refused(Code.REQUEST_INVALID, message, AS_PATCH)
    if "\n" in git:
        message = "cannot make a branch: the path holds a line break"
        raise Refused(Code.REQUEST_INVALID, message, AS_PATCH)


async def _known(second: Scratch, named: list[str]) -> list[str]:
    """Those that the host has indeed, and that are commits."""
    given = "".join(f"{each}\n" for each in named).encode()
    out = await second.run("cat-file", "--batch-check", stdin=given)
    lines = (line.split() for line in out.decode().splitlines())
    return [words[0] for words in lines if len(words) == 3 and words[1] in ("commit", "tag")]


async def _judge_content(second: Scratch, revisions: bytes, tip: str) -> tuple[Skipped, ...]:
    """Refuse links that lead out, in any of the commits; name what is to be looked at."""
    words = ("--raw", "-z", "--no-abbrev", "--no-renames", "-m", "--format=", "--stdin")
    raw = await second.run("log", *words, stdin=revisions)
    tree = await second.run("ls-tree", "-r", "-z", "--full-tree", tip)
    if max(len(raw), len(tree)) >= MAX_OUTPUT:
        message = "cannot bring the commits out: they hold too much"
        raise Refused(Code.RESOURCE_LIMIT, message, AS_PATCH)
    found = list(commits.entries(raw))
    links = [entry for entry in found if entry.mode == commits.LINK]
    there = [entry for entry in commits.tree_entries(tree) if entry.mode == commits.LINK]
    leads = await _landings(second, [*links, *there])
    out = {entry.path for entry in there if leads[entry] is None}
    for entry in links:
        target = leads[entry]
        if target is None or any(f"{target}/".startswith(f"{each}/") for each in out):
            message = f"cannot bring the commits out: {entry.path!a} is a link that leads out"
            raise Refused(Code.CONFLICT, message, "take it out of the commits inside")
    notable = {}
    for entry in found:
        what = "a submodule" if entry.mode == commits.SUBMODULE else guarded(entry.path)
        if what:
            notable[ascii(entry.path)[1:-1]] = f"{what}: look at it before you merge"
    return tuple(Skipped(path, reason) for path, reason in sorted(notable.items()))


async def _landings(second: Scratch, links: list[commits.Entry]) -> dict[commits.Entry, str | None]:
    """Where each link leads; None if it is out of the repository, or longer than any path."""
    asked = "".join(f"{oid}\n" for oid in sorted({entry.oid for entry in links})).encode()
    sizes = (await second.run("cat-file", "--batch-check=%(objectsize)", stdin=asked)).split()
    if any(int(size) > commits.MAX_LINK for size in sizes):
        message = "cannot bring the commits out: a link is too long"
        raise Refused(Code.CONFLICT, message, AS_PATCH)
    texts = commits.contents(await second.run("cat-file", "--batch", stdin=asked))
    return {
        entry: landing(entry.path, texts[entry.oid].decode("utf-8", "surrogateescape"))
        for entry in links
    }


def _publish(git: str, second: Path, name: str, tip: str) -> None:
    with opened(os.open(git, FOLDER)) as at:
        for pack in (second / "objects" / "pack").glob("pack-*.pack"):
            gitout.place_pack(at, pack)
        gitout.place_branch(at, name, tip)
