"""The chain shows what was done to it, and where."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cleanroom.audit.record import GENESIS, Kind, encode_line
from cleanroom.audit.segments import Head
from cleanroom.audit.verify import Verification, verify
from tests.audit.worlds import files, opened, record, the_file, write

TIME = "2025-11-25T12:00:00.000000Z"
Lines = list[bytes]


def five(folder: Path) -> None:
    write(folder, *(record(f"{n}.test") for n in range(1, 6)))


def tamper(folder: Path, deed: Callable[[Lines], Lines]) -> Verification:
    file = the_file(folder)
    file.write_bytes(b"".join(deed(file.read_bytes().splitlines(keepends=True))))
    return verify(folder)


def test_an_untouched_log_holds(tmp_path: Path) -> None:
    five(tmp_path)
    found = verify(tmp_path)
    assert (found.ok, found.lines, found.head.seq) == (True, 5, 5)
    assert (found.place, found.reason) == ("", "")


def test_an_empty_log_holds(tmp_path: Path) -> None:
    assert verify(tmp_path) == Verification(ok=True, lines=0, head=Head())
    write(tmp_path)
    assert verify(tmp_path).ok


def test_an_edited_line_is_found(tmp_path: Path) -> None:
    five(tmp_path)
    found = tamper(tmp_path, lambda lines: [x.replace(b"3.test", b"9.test") for x in lines])
    assert (found.ok, found.lines) == (False, 2)
    assert found.place == "audit-0000000000000001.jsonl:3"
    assert found.reason == "the line was changed: its hash does not match"


def test_an_edited_line_with_a_new_hash_breaks_the_next(tmp_path: Path) -> None:
    five(tmp_path)

    def forge(lines: Lines) -> Lines:
        forged, _ = encode_line(Kind.NETWORK, {"name": "x"}, 1, TIME, GENESIS)
        return [forged, *lines[1:]]

    found = tamper(tmp_path, forge)
    assert found.place.endswith(":2")
    assert found.reason == "the line before it is not the one it was written after"


@pytest.mark.parametrize(
    ("deed", "place", "reason"),
    [
        (lambda x: x[1:], 1, "lines 1 to 1 are missing before it"),
        (lambda x: x[:2] + x[4:], 3, "lines 3 to 4 are missing before it"),
        (lambda x: [x[0], x[2], x[1], *x[3:]], 2, "lines 2 to 2 are missing before it"),
        (lambda x: [*x[:3], x[1], *x[3:]], 4, "line 2 stands where line 4 belongs"),
        (lambda x: [*x[:2], b"\n", *x[2:]], 4, "bytes before it are not the unfinished line"),
        (lambda x: [*x, b"garbage\n"], 6, "the log ends in bytes that are no line"),
        (lambda x: [*x[:4], b"garbage\n"], 5, "the log ends in bytes that are no line"),
    ],
    ids=["begin", "middle", "order", "again", "insert", "end", "last"],
)
def test_removal_reordering_and_insertion_are_found(
    tmp_path: Path, deed: Callable[[Lines], Lines], place: int, reason: str
) -> None:
    five(tmp_path)
    found = tamper(tmp_path, deed)
    assert not found.ok
    assert found.place.endswith(f":{place}")
    assert found.reason.startswith(reason)


def test_a_line_the_writer_is_at_work_on_is_no_fault(tmp_path: Path) -> None:
    five(tmp_path)
    assert tamper(tmp_path, lambda lines: [*lines[:4], lines[4][:30]]).ok


def test_lines_cut_off_at_the_end_show_only_against_a_kept_head(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        log.append([record(), record(), record()])
        head = log.head
    assert verify(tmp_path, head).ok
    assert tamper(tmp_path, lambda lines: lines[:1]).ok
    found = verify(tmp_path, head)
    assert not found.ok
    assert found.reason == "lines 2 to 3 were cut off"


def test_a_log_written_anew_shows_against_a_kept_head(tmp_path: Path) -> None:
    five(tmp_path)
    found = verify(tmp_path, Head(2, "0" * 64))
    assert found.place.endswith(":2")
    assert found.reason.endswith("the log was written anew")


def test_a_mark_without_its_torn_bytes_is_found(tmp_path: Path) -> None:
    five(tmp_path)
    tamper(tmp_path, lambda lines: [*lines[:4], lines[4][:30]])
    write(tmp_path, record())
    assert verify(tmp_path).ok  # the control
    found = tamper(tmp_path, lambda lines: [*lines[:4], *lines[5:]])
    assert found.reason == "bytes before it are not the unfinished line that was recovered"


def test_a_changed_last_line_does_not_pass_as_torn(tmp_path: Path) -> None:
    five(tmp_path)
    tamper(tmp_path, lambda lines: [*lines[:4], lines[4].replace(b"5.test", b"6.test")])
    write(tmp_path, record())
    found = verify(tmp_path)
    assert found.place.endswith(":5")
    assert found.reason == "the line was changed: its hash does not match"


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_a_removed_file_is_found(tmp_path: Path, gone: int) -> None:
    write(tmp_path, *(record() for _ in range(4)), max_segment_bytes=1)
    files(tmp_path)[gone].unlink()
    assert not verify(tmp_path).ok


def test_a_renamed_file_is_found(tmp_path: Path) -> None:
    write(tmp_path, record(), record(), max_segment_bytes=1)
    files(tmp_path)[1].rename(tmp_path / "audit-0000000000000007.jsonl")
    found = verify(tmp_path)
    assert found.place == "audit-0000000000000007.jsonl:1"
    assert "the file's name does not say 2" in found.reason


def test_a_file_that_ends_within_a_line_before_another_is_found(tmp_path: Path) -> None:
    write(tmp_path, record(), record(), max_segment_bytes=1)
    first = files(tmp_path)[0]
    first.write_bytes(first.read_bytes() + b"{")
    assert verify(tmp_path).reason == "the file before it ends within a line"
