"""Steps on the host, the first time and after a crash; test_apply.py kills whole applies."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cleanroom.backends.workspace.changes import Skipped
from cleanroom.backends.workspace.journal import Deletion, Draft, Journal
from cleanroom.backends.workspace.place import Placed, Placer


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
    reason = "changed on the host meanwhile"
    assert placed == Placed({}, [Skipped("gone", reason), Skipped("a", reason)])
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


def test_a_link_where_a_folder_is_needed_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "root/d").symlink_to("../outside")
    journal = Journal(placing=True, drafts=(draft(tmp_path / "root", "d/a"),))
    with placer(tmp_path / "root") as one, pytest.raises(OSError, match="d"):
        one.carry_out(journal)
    assert list((tmp_path / "outside").iterdir()) == []
