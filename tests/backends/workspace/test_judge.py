"""Judging a change against the host; most of it is told by test_apply.py."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cleanroom.backends.workspace.changes import Change, Skipped
from cleanroom.backends.workspace.folders import open_at
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


def test_a_folder_that_is_empty_now_may_be_another_one(workspace: Workspace) -> None:
    workspace.prepare()
    later(workspace.root / "d")
    change = Change("d", "deleted", "folder")
    assert judged(workspace, change)[1] == [Skipped("d", "changed on the host since")]


def test_a_folder_closed_to_us_is_a_conflict_not_a_guess(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace.root / "d").mkdir()
    workspace.prepare()
    with monkeypatch.context() as patch:
        patch.setattr("cleanroom.backends.workspace.judge.open_at", closed(open_at))
        found = judged(workspace, Change("d", "deleted", "folder"))[1]
    assert found == [Skipped("d", "changed on the host since")]


def test_equal_links_and_equal_files_need_nothing(workspace: Workspace) -> None:
    workspace.run("echo -n x > a; ln -s a l")
    workspace.write("a", "x")
    (workspace.root / "l").symlink_to("a")
    changes = (Change("a", "added", "file", 1, 0o644), Change("l", "added", "link"))
    assert judged(workspace, *changes) == ([False, False], [])


def test_another_mode_or_another_link_is_not_equal(workspace: Workspace) -> None:
    workspace.run("echo -n x > a; chmod +x a; ln -s a l; mkdir d")
    workspace.write("a", "x")
    (workspace.root / "l").symlink_to("b")
    (workspace.root / "d").touch()
    changes = (
        Change("a", "added", "file", 1, 0o755),
        Change("l", "added", "link"),
        Change("d", "added", "folder"),
    )
    assert [each.reason for each in judged(workspace, *changes)[1]] == ["exists on the host"] * 3


def later(folder: Path) -> None:
    """Make a folder at a time that is certainly later than the view."""
    before = folder.parent.stat().st_ctime_ns
    while True:
        folder.mkdir()
        if folder.stat().st_ctime_ns > before + 10_000_000:
            return
        folder.rmdir()


def closed(really: Callable[[int, str], int | None]) -> Callable[[int, str], int | None]:
    """`open_at` where the folder "d" cannot be entered."""
    return lambda top, path: None if path == "d" else really(top, path)
