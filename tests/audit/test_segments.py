"""The files of the log, and where the good lines of one end."""

from pathlib import Path

import pytest

from cleanroom.audit.segments import Segment, lines, segment_path, segments, tail
from tests.audit.worlds import record, the_file, write


def test_files_come_in_the_order_of_their_lines(tmp_path: Path) -> None:
    for number in (9, 100, 1):
        segment_path(tmp_path, number).touch()
    assert [segment.first_seq for segment in segments(tmp_path)] == [1, 9, 100]


@pytest.mark.parametrize("name", ["audit-1.jsonl", "audit-0000000000000001.jsonl.gz", "x", "lock"])
def test_other_files_are_passed_over(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    segment_path(tmp_path, 1).touch()
    assert segments(tmp_path) == (Segment(segment_path(tmp_path, 1), 1),)


def test_lines_keep_their_newlines(tmp_path: Path) -> None:
    path = segment_path(tmp_path, 1)
    path.write_bytes(b"a\n\nb")
    assert list(lines(path)) == [b"a\n", b"\n", b"b"]


def test_the_end_of_an_empty_file_is_nothing(tmp_path: Path) -> None:
    path = segment_path(tmp_path, 1)
    path.touch()
    assert (tail(path).head, tail(path).torn) == (None, b"")


def test_the_end_is_found_behind_many_bad_lines(tmp_path: Path) -> None:
    write(tmp_path, record(), record())
    path = the_file(tmp_path)
    bad = b"\n" * 1000 + b"x" * 5000 + b"\n{}"
    path.write_bytes(path.read_bytes() + bad)
    end = tail(path)
    assert end.head is not None
    assert end.head.seq == 2
    assert end.torn == bad


def test_a_link_is_not_read(tmp_path: Path) -> None:
    write(tmp_path / "real", record())
    link = segment_path(tmp_path, 1)
    link.symlink_to(the_file(tmp_path / "real"))
    with pytest.raises(OSError, match="symbolic links"):
        tail(link)
