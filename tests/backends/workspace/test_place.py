"""Steps on the host, the first time and after a crash; test_apply.py kills whole applies."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cleanroom.backends.workspace.changes import Skipped
from cleanroom.backends.workspace.journal import Deletion, Draft, Journal
from cleanroom.backends.workspace.place import Placed, Placer

CHANGED = "changed on the host meanwhile"


@contextmanager
def placer(root: Path) -> Iterator[Placer]:
    fd = os.open(root, os.O_RDONLY)
    try:
        yield Placer(fd)
    finally:
        os.close(fd)


def draft(root: Path, path: str, before_ns: int = 0) -> Draft:
    place = root / ".cleanroom-1"
    place.write_text("new")
    facts = place.stat()
    return Draft(".cleanroom-1", path, before_ns, facts.st_ino, facts.st_mtime_ns)


def test_done_twice_is_done_once(tmp_path: Path) -> None:
    journal = Journal(placing=True, folders=("empty",), drafts=(draft(tmp_path, "d/a"),))
    with placer(tmp_path) as one:
        first = one.carry_out(journal)
        assert one.carry_out(journal) == first
    assert first == Placed({"d/a": (tmp_path / "d/a").stat().st_ctime_ns})
    assert (tmp_path / "empty").is_dir()


def test_what_was_written_since_is_not_taken_for_ours(tmp_path: Path) -> None:
    journal = Journal(placing=True, drafts=(draft(tmp_path, "a"),))
    with placer(tmp_path) as one:
        one.carry_out(journal)
        (tmp_path / "a").unlink()
        (tmp_path / "a").write_text("mine")
        os.utime(tmp_path / "a", ns=(1, 1))
        assert one.carry_out(journal) == Placed()
    assert (tmp_path / "a").read_text() == "mine"


def test_a_file_that_the_host_changed_meanwhile_is_left(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine")
    (tmp_path / "gone").write_text("mine")
    deletion = Deletion("gone", is_folder=False, before_ns=1)
    journal = Journal(placing=True, deletions=(deletion,), drafts=(draft(tmp_path, "a", 1),))
    with placer(tmp_path) as one:
        placed = one.carry_out(journal)
    assert placed == Placed({}, {}, [Skipped("gone", CHANGED), Skipped("a", CHANGED)])
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a", "gone"]


def test_a_file_where_a_folder_was_is_left(tmp_path: Path) -> None:
    (tmp_path / "d").touch()
    deletions = (
        Deletion("d", is_folder=True, before_ns=1),
        Deletion("x/y", is_folder=False, before_ns=1),
    )
    with placer(tmp_path) as one:
        placed = one.carry_out(Journal(placing=True, deletions=deletions))
    assert [each.path for each in placed.left] == ["d"]


def test_drafts_that_go_go_whether_they_were_made_or_not(tmp_path: Path) -> None:
    journal = Journal(drafts=(draft(tmp_path, "a"), Draft("no/.cleanroom-2", "no/b")))
    with placer(tmp_path) as one:
        one.undo(journal)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folders", [(), ("d/e",)])
def test_a_link_where_a_folder_is_needed_is_not_followed(
    tmp_path: Path, folders: tuple[str, ...]
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "root/d").symlink_to("../outside")
    journal = Journal(placing=True, folders=folders, drafts=(draft(tmp_path / "root", "d/a"),))
    with placer(tmp_path / "root") as one:
        placed = one.carry_out(journal)
        assert one.carry_out(journal).written == {}
    assert placed.left == [Skipped(path, CHANGED) for path in (*folders, "d/a")]
    assert list((tmp_path / "outside").iterdir()) == []
    assert [each.name for each in (tmp_path / "root").iterdir()] == ["d"]


def test_a_fault_of_the_host_is_no_reason_to_leave_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "d")

    journal = Journal(placing=True, drafts=(draft(tmp_path, "d/a"),))
    monkeypatch.setattr(os, "mkdir", full)
    with placer(tmp_path) as one, pytest.raises(OSError, match="No space"):
        one.carry_out(journal)
    assert (tmp_path / ".cleanroom-1").exists()  # for the next try


@pytest.mark.parametrize("at", [".cleanroom-1", "d/.cleanroom-1"])
def test_a_draft_that_is_gone_is_said(tmp_path: Path, at: str) -> None:
    journal = Journal(placing=True, drafts=(Draft(at, "d/a", 0, 1, 1),))
    with placer(tmp_path) as one:
        placed = one.carry_out(journal)
    assert placed == Placed({}, {}, [Skipped("d/a", "was removed on the host meanwhile")])
