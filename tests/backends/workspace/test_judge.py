"""Judging a change against the host; most of it is told by test_apply.py."""

import pytest

from cleanroom.backends.workspace.changes import Change, Skipped
from cleanroom.backends.workspace.judge import Judge
from cleanroom.backends.workspace.sources import open_sources
from tests.backends.workspace.overlays import Workspace

NO_PATH = "not a path of the workspace"


def judged(workspace: Workspace, *changes: Change) -> tuple[list[bool], list[Skipped]]:
    """What is to be done, and why the rest is not."""
    with open_sources(workspace.folder) as sources:
        judge = Judge(sources, list(changes), {})
        return [judge.judge(change) for change in changes], [*judge.conflicts, *judge.skipped]


@pytest.mark.parametrize("path", ["../x", "/etc/x", ".git/config", "a/../../x"])
def test_a_path_that_leads_elsewhere_is_never_written(workspace: Workspace, path: str) -> None:
    workspace.prepare()
    assert judged(workspace, Change(path, "added", "file")) == ([False], [Skipped(path, NO_PATH)])


def test_a_new_file_deep_in_new_folders_is_written(workspace: Workspace) -> None:
    (workspace.root / "a").mkdir()
    workspace.prepare()
    assert judged(workspace, Change("a/b/c/d", "added", "file")) == ([True], [])


def test_what_is_gone_with_its_folder_needs_no_deletion(workspace: Workspace) -> None:
    workspace.prepare()
    changes = (Change("d/a", "deleted", "file"), Change("d", "deleted", "folder"))
    assert judged(workspace, *changes) == ([False, False], [])


@pytest.mark.parametrize(
    "change", [Change("d/a", "modified", "file"), Change("d/a", "added", "file", copied=True)]
)
def test_what_the_host_removed_does_not_come_back(workspace: Workspace, change: Change) -> None:
    workspace.prepare()
    assert judged(workspace, change)[1] == [Skipped("d/a", "was removed on the host since")]


def test_a_folder_of_the_host_with_more_in_it_stays(workspace: Workspace) -> None:
    workspace.write("d/a")
    workspace.write("d/b")
    workspace.prepare()
    changes = (Change("d", "deleted", "folder"), Change("d/a", "deleted", "file"))
    assert judged(workspace, *changes) == ([False, True], [Skipped("d", "holds 'b' on the host")])


def test_a_folder_that_became_a_file_on_the_host_stays(workspace: Workspace) -> None:
    workspace.write("d")
    workspace.prepare()
    change = Change("d", "deleted", "folder")
    assert judged(workspace, change)[1] == [Skipped("d", "changed on the host since")]


def test_a_file_that_is_gone_from_the_sandbox_is_not_equal(workspace: Workspace) -> None:
    workspace.write("a", "")
    workspace.prepare()
    change = Change("a", "modified", "file", 0, 0o644)
    assert judged(workspace, change) == ([True], [])
