"""Writing onto the host; most of it is told by test_apply.py."""

import os

import pytest

from cleanroom.backends.workspace.changes import Change, Skipped
from cleanroom.backends.workspace.journal import load_journal
from cleanroom.backends.workspace.place import Placed
from cleanroom.backends.workspace.sources import open_sources
from cleanroom.backends.workspace.write import Writer
from cleanroom.errors import Fault
from tests.backends.workspace.overlays import Workspace


def written(workspace: Workspace, *changes: Change) -> Placed:
    with open_sources(workspace.folder) as sources:
        return Writer(sources, {}).write(changes)


def test_it_says_when_each_file_was_written(workspace: Workspace) -> None:
    workspace.run("echo x > a; mkdir d")
    placed = written(
        workspace, Change("a", "added", "file", 2, 0o644), Change("d", "added", "folder")
    )
    assert placed.written == {"a": (workspace.root / "a").stat().st_ctime_ns}
    assert (workspace.root / "d").is_dir()


def test_a_source_that_is_gone_leaves_the_host_as_it_was(workspace: Workspace) -> None:
    workspace.run("echo x > a; ln -s a l")
    changes = (
        Change("new/a", "added", "link"),
        Change("a", "added", "file", 2, 0o644),
        Change("gone", "added", "file", 2, 0o644),
    )
    with pytest.raises(Fault, match="nothing was applied"):
        written(workspace, *changes)
    assert list(workspace.root.iterdir()) == []


def test_a_folder_that_the_host_filled_meanwhile_is_left(workspace: Workspace) -> None:
    workspace.write("d/a")
    workspace.run("touch x")
    placed = written(workspace, Change("d", "deleted", "folder"))
    assert placed.left == [Skipped("d", "changed on the host meanwhile")]
    assert (workspace.root / "d/a").exists()


def test_what_cannot_be_written_says_to_apply_again(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.run("echo x > a")

    really = os.rename

    def full(source: str, target: str, **more: int) -> None:
        if str(source).startswith(".cleanroom-"):
            raise OSError(28, "No space left on device", "a")
        really(source, target, **more)

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", full)
        with pytest.raises(Fault, match="apply again"):
            written(workspace, Change("a", "added", "file", 2, 0o644))
    assert load_journal(workspace.folder) is not None


def test_a_folder_that_is_there_is_left_as_it_is(workspace: Workspace) -> None:
    (workspace.root / "d").mkdir(mode=0o711)
    workspace.prepare()
    assert written(workspace, Change("d", "added", "folder")) == Placed()
    assert (workspace.root / "d").stat().st_mode & 0o777 == 0o711
