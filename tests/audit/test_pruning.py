"""Old files go, the log says so first, and every other removal is still seen."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom.audit import verify as verify_module
from cleanroom.audit.log import AuditLog
from cleanroom.audit.pruning import WEEK_S, Keep, Outlived, outlived
from cleanroom.audit.read import read
from cleanroom.audit.record import Json, Kind, encode_line
from cleanroom.audit.segments import lines
from cleanroom.audit.verify import verify
from cleanroom.errors import Fault
from tests.audit.worlds import NOON, files, opened, record, write

YEAR = 365 * 86_400.0
SMALL = 400  # a file of one line
ALL = Keep(size=1 << 40, age_s=YEAR)
NEWEST = Keep(size=0, age_s=YEAR)


def five_files(folder: Path, age_s: float = 0.0) -> list[Path]:
    """A line in each of five files, written this long before noon."""
    write(folder, *(record(f"{n}.test") for n in range(1, 6)), max_segment_bytes=SMALL)
    for path in files(folder):
        os.utime(path, (NOON - age_s, NOON - age_s))
    return files(folder)


def prune(folder: Path, keep: Keep, now: float = NOON) -> int:
    log = AuditLog(folder, lambda: now, SMALL)
    try:
        return log.prune(keep)
    finally:
        log.close()


def test_within_the_bounds_nothing_is_done(tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in five_files(tmp_path)}
    assert prune(tmp_path, ALL) == 0
    assert {path: path.read_bytes() for path in files(tmp_path)} == before


def test_the_oldest_go_by_size_and_the_log_still_holds(tmp_path: Path) -> None:
    sizes = [path.stat().st_size for path in five_files(tmp_path)]
    assert prune(tmp_path, Keep(size=sum(sizes[2:]), age_s=YEAR)) == 2
    names = [path.name for path in files(tmp_path)]
    assert names[0] == "audit-0000000000000003.jsonl"
    found = verify(tmp_path)
    assert (found.ok, found.lines, found.head.seq) == (True, 4, 6)
    kept = list(read(tmp_path))
    assert b'"pruned_to":2' in kept[-1]
    write(tmp_path, record("later.test"))
    assert verify(tmp_path).lines == 5


def test_the_oldest_go_by_age(tmp_path: Path) -> None:
    paths = five_files(tmp_path, age_s=YEAR + 1)
    os.utime(paths[3], (NOON, NOON))
    assert prune(tmp_path, ALL) == 3
    assert verify(tmp_path).ok


def test_a_younger_file_keeps_all_after_it(tmp_path: Path) -> None:
    paths = five_files(tmp_path, age_s=YEAR + 1)
    os.utime(paths[0], (NOON, NOON))
    assert prune(tmp_path, ALL) == 0


def test_the_newest_is_ended_after_a_week_and_may_then_go(tmp_path: Path) -> None:
    write(tmp_path, record("a.test"), record("b.test"))
    assert prune(tmp_path, NEWEST, NOON + WEEK_S - 1) == 0
    assert len(files(tmp_path)) == 1
    assert prune(tmp_path, NEWEST, NOON + WEEK_S + 1) == 1
    (left,) = files(tmp_path)
    assert left.name == "audit-0000000000000003.jsonl"
    assert (verify(tmp_path).ok, verify(tmp_path).lines) == (True, 1)
    write(tmp_path, record("c.test"))
    assert verify(tmp_path).ok


def test_pruned_again_and_again_it_holds(tmp_path: Path) -> None:
    for _ in range(4):
        five_files(tmp_path)
        prune(tmp_path, NEWEST)
        assert verify(tmp_path).ok
    assert len(files(tmp_path)) <= 2


def test_what_somebody_else_removed_is_missing(tmp_path: Path) -> None:
    paths = five_files(tmp_path)
    paths[0].unlink()
    found = verify(tmp_path)
    assert (found.ok, found.place) == (False, "audit-0000000000000002.jsonl:1")
    assert found.reason == "lines 1 to 1 are missing before it"
    paths[2].unlink()
    assert verify(tmp_path).reason == "lines 3 to 3 are missing before it"


def test_more_removed_than_was_said_is_missing(tmp_path: Path) -> None:
    five_files(tmp_path)
    prune(tmp_path, Keep(size=1300, age_s=YEAR))
    assert verify(tmp_path).ok
    files(tmp_path)[0].unlink()
    assert not verify(tmp_path).ok


def test_a_removal_that_was_interrupted_holds_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    five_files(tmp_path)
    unlink = Path.unlink

    def killed(path: Path, missing_ok: bool = False) -> None:  # noqa: FBT001, FBT002 -- Path's own
        unlink(path, missing_ok)
        raise PermissionError(1, "killed here")

    monkeypatch.setattr(Path, "unlink", killed)
    with pytest.raises(Fault, match="killed here"):
        prune(tmp_path, NEWEST)
    monkeypatch.undo()
    assert verify(tmp_path).ok
    prune(tmp_path, NEWEST)
    assert verify(tmp_path).ok


def test_a_lie_about_what_was_removed_is_seen(tmp_path: Path) -> None:
    with opened(tmp_path, SMALL) as log:
        log.append([record("1.test")])
        log.append([record("2.test")])
        head = log.head
    lie: dict[str, Json] = {"pruned_to": 1, "pruned_hash": "f" * 64}
    line, _ = encode_line(Kind.PRUNED, lie, 3, "2025-11-25T12:00:00.000000Z", head.hash)
    paths = files(tmp_path)
    paths[1].write_bytes(paths[1].read_bytes() + line)
    paths[0].unlink()
    assert verify(tmp_path).reason == "lines 1 to 1 are missing before it"


def test_a_file_that_begins_with_a_torn_line_keeps_those_before(tmp_path: Path) -> None:
    paths = five_files(tmp_path)
    paths[4].write_bytes(b"torn\n" + paths[4].read_bytes())
    assert outlived(tmp_path, NEWEST, NOON) == Outlived()


def test_a_reader_and_a_verifier_survive_a_removal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    five_files(tmp_path)
    seen = read(tmp_path)
    next(seen)
    prune(tmp_path, NEWEST)
    assert [b'"name":"5.test"' in line for line in seen] == [True]
    paths = five_files(tmp_path)

    def gone(path: Path) -> Iterator[bytes]:
        if path == paths[0] and path.exists():
            prune(tmp_path, NEWEST)
        return lines(path)

    monkeypatch.setattr(verify_module, "lines", gone)
    assert verify(tmp_path).ok
    monkeypatch.setattr(verify_module, "lines", lambda path: lines(Path("/nowhere") / path.name))
    with pytest.raises(FileNotFoundError):
        verify(tmp_path)
