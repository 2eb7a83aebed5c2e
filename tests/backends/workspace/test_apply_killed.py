"""An apply that is killed at any call is completed, or undone; the host's own edits stay."""

import os
import shutil

import pytest

from cleanroom.backends.workspace.apply import apply, finish_interrupted
from cleanroom.backends.workspace.changes import Skipped
from tests.backends.workspace.overlays import Workspace, later, tree


class Killed(BaseException):
    """What a kill looks like from inside: nothing more is done."""


def killed_at(patch: pytest.MonkeyPatch, name: str, count: int) -> None:
    """From the given call on, `name` is never carried out."""
    really = getattr(os, name)
    calls = iter(range(count))

    def call(*words: object, **more: object) -> object:
        if next(calls, None) is None:
            raise Killed
        return really(*words, **more)

    patch.setattr(os, name, call)


SCRIPT = (
    "echo -n new > a; rm gone; rm -r d; echo -n d > d; mkdir -p x/y e; echo -n z > x/y/z;"
    " ln -s y x/l"
)
AFTER = {
    "a": "644 new",
    "d": "644 d",
    "e": "folder",
    "x": "folder",
    "x/l": "-> y",
    "x/y": "folder",
    "x/y/z": "644 z",
}


@pytest.mark.parametrize(
    ("call", "count"),
    [
        *(("rename", count) for count in range(2, 6)),  # two are the journal's own
        *(("mkdir", count) for count in range(3)),
        *(("unlink", count) for count in range(2)),
        ("rmdir", 0),
    ],
)
def test_an_apply_that_is_killed_is_completed(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, call: str, count: int
) -> None:
    for name in ("a", "gone", "d/b"):
        workspace.write(name, name)
    workspace.run(SCRIPT)
    with monkeypatch.context() as patch:
        killed_at(patch, call, count)
        with pytest.raises(Killed):
            apply(workspace.folder)
    assert finish_interrupted(workspace.folder) == ()
    assert tree(workspace.root) == AFTER
    assert finish_interrupted(workspace.folder) == ()
    workspace.run("echo -n newer > a; echo -n zz > x/y/z")
    assert apply(workspace.folder).applied == ("a", "x/y/z")  # what it wrote is known as ours


@pytest.mark.parametrize(
    ("call", "count"),
    [*(("fchmod", count) for count in range(3)), ("symlink", 0), ("rename", 1)],
)
def test_an_apply_that_is_killed_before_it_placed_anything_is_undone(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, call: str, count: int
) -> None:
    for name in ("a", "gone", "d/b"):
        workspace.write(name, name)
    workspace.run(SCRIPT)
    before = tree(workspace.root)
    with monkeypatch.context() as patch:
        killed_at(patch, call, count)
        with pytest.raises(Killed):
            apply(workspace.folder)
    assert finish_interrupted(workspace.folder) == ()
    assert tree(workspace.root) == before
    assert apply(workspace.folder).conflicts == ()
    assert tree(workspace.root) == AFTER


def test_what_the_host_wrote_after_a_killed_apply_is_kept(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = workspace.write("a", "a")
    workspace.run("echo -n new > a; echo -n b > b")
    with monkeypatch.context() as patch:
        killed_at(patch, "rename", 2)
        with pytest.raises(Killed):
            apply(workspace.folder)
    later(place)
    place.write_text("mine")
    left = finish_interrupted(workspace.folder)
    assert left == (Skipped("a", "changed on the host meanwhile"),)
    assert tree(workspace.root) == {"a": "644 mine", "b": "644 b"}


@pytest.mark.parametrize("instead", ["nothing", "file", "link"])
def test_a_killed_apply_whose_drafts_the_host_removed_does_not_hold_up_the_next(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, instead: str
) -> None:
    workspace.write("d/old", "old")
    workspace.run("mkdir d/e; echo -n new > d/e/new; echo -n a > a")
    with monkeypatch.context() as patch:
        killed_at(patch, "rename", 2)
        with pytest.raises(Killed):
            apply(workspace.folder)
    shutil.rmtree(workspace.root / "d")
    if instead == "file":
        workspace.write("d", "mine")
    if instead == "link":
        (workspace.root / "d").symlink_to(workspace.base)
    left = finish_interrupted(workspace.folder)
    assert left == (Skipped("d/e/new", "was removed on the host meanwhile"),)
    assert (workspace.root / "a").read_text() == "a"
    assert not (workspace.root / "d/e").exists()
    assert finish_interrupted(workspace.folder) == ()
