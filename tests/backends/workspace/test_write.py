"""Writing onto the host; most of it is told by test_apply.py."""

import pytest

from cleanroom.backends.workspace.changes import Change
from cleanroom.backends.workspace.sources import open_sources
from cleanroom.backends.workspace.write import Writer
from cleanroom.errors import Fault
from tests.backends.workspace.overlays import Workspace


def written(workspace: Workspace, *changes: Change) -> dict[str, int]:
    with open_sources(workspace.folder) as sources:
        return Writer(sources).write(changes)


def test_it_says_when_each_file_was_written(workspace: Workspace) -> None:
    workspace.run("echo x > a; mkdir d")
    times = written(
        workspace, Change("a", "added", "file", 2, 0o644), Change("d", "added", "folder")
    )
    assert times == {"a": (workspace.root / "a").stat().st_ctime_ns}
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


def test_a_deletion_that_fails_says_to_apply_again(workspace: Workspace) -> None:
    workspace.write("d/a")
    workspace.run("touch x")
    with pytest.raises(Fault, match="apply again"):
        written(workspace, Change("d", "deleted", "folder"))


def test_a_folder_that_is_there_is_left_as_it_is(workspace: Workspace) -> None:
    (workspace.root / "d").mkdir(mode=0o711)
    workspace.prepare()
    assert written(workspace, Change("d", "added", "folder")) == {}
    assert (workspace.root / "d").stat().st_mode & 0o777 == 0o711
