"""Reading the log: the lines asked for, whole, while somebody writes."""

import json
import threading
from pathlib import Path

import pytest

from cleanroom.audit.read import Filter, read
from cleanroom.audit.record import Record
from cleanroom.events import LifecycleEvent
from tests.audit.worlds import lifecycle, opened, record, the_file, write


def names(folder: Path, wanted: Filter) -> list[str | None]:
    return [json.loads(line).get("name") for line in read(folder, wanted)]


def test_everything_comes_oldest_first(tmp_path: Path) -> None:
    write(tmp_path, record("a.test"), record("b.test"), record("c.test"), max_segment_bytes=600)
    assert names(tmp_path, Filter()) == ["a.test", "b.test", "c.test"]


def test_a_run_is_found(tmp_path: Path) -> None:
    write(tmp_path, record("a.test", run="run_1"), record("b.test", run="run_11"))
    assert names(tmp_path, Filter(run_id="run_1")) == ["a.test"]


def test_a_sandbox_is_found(tmp_path: Path) -> None:
    other = Record(LifecycleEvent("sandbox.ready"), sandbox_id="sbx_2")
    write(tmp_path, record("a.test"), other)
    assert names(tmp_path, Filter(sandbox_id="sbx_1")) == ["a.test"]
    assert names(tmp_path, Filter(sandbox_id="sbx_2")) == [None]


def test_denials_are_found_and_lifecycle_lines_are_none(tmp_path: Path) -> None:
    write(tmp_path, record("a.test"), record("b.test", allowed=False), lifecycle())
    assert names(tmp_path, Filter(denied=True)) == ["b.test"]


@pytest.mark.parametrize("forged", ['","allowed":false,"', 'x","run_id":"run_9'])
def test_a_name_cannot_pretend_to_be_another_member(tmp_path: Path, forged: str) -> None:
    write(tmp_path, record(forged))
    assert names(tmp_path, Filter(denied=True)) == []
    assert names(tmp_path, Filter(run_id="run_9")) == []


def test_since_leaves_out_what_is_older(tmp_path: Path) -> None:
    write(tmp_path, record("a.test"))
    for since in ("2025-11-25T12:00:00.250000Z", "2025-11-25T12:00:00.25Z", "2025-11-25"):
        assert names(tmp_path, Filter(since=since)) == ["a.test"]
    assert names(tmp_path, Filter(since="2025-11-25T12:00:00Z")) == ["a.test"]
    for since in ("2025-11-25T12:00:00.250001Z", "2025-11-25T12:00:01Z", "2025-11-26"):
        assert names(tmp_path, Filter(since=since)) == []


def test_what_is_no_line_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path, record("a.test"))
    line = the_file(tmp_path).read_bytes()
    the_file(tmp_path).write_bytes(b"garbage\n" + line + line[:-1])
    (tmp_path / "notes.txt").write_text("not ours")
    assert names(tmp_path, Filter()) == ["a.test"]


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(read(tmp_path / "none"))


def test_readers_see_whole_lines_while_a_writer_writes(tmp_path: Path) -> None:
    seen: list[int] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            seen.append(sum(1 for line in read(tmp_path) if json.loads(line)))

    with opened(tmp_path, max_segment_bytes=20_000) as log:
        readers = [threading.Thread(target=look) for _ in range(2)]
        for reader in readers:
            reader.start()
        for _ in range(300):
            log.append([record(), record()])
        stop.set()
        for reader in readers:
            reader.join()
    assert seen
    assert sum(1 for _ in read(tmp_path)) == 600
