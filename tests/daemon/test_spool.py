"""Output on disk: whole, bounded, readable from any byte, newest first, and after a kill."""

from pathlib import Path

from cleanroom.daemon.output import Chunk
from cleanroom.daemon.spool import HEAD, Spool, batches, ends, newest_first

MOST = 80_000  # segments of 10,000


class Writer:
    """A spool that is written as an OutputLog writes it."""

    def __init__(self, folder: Path, most: int = MOST) -> None:
        self.notes: list[str] = []
        self.spool = Spool(folder, most, self.notes.append)
        self.totals = {1: 0, 2: 0}

    def say(self, stream: int, data: bytes, at: float = 0.0) -> None:
        """Write one chunk."""
        self.spool.write(Chunk(stream, self.totals[stream], data, at), self.totals)
        self.totals[stream] += len(data)


def kept(folder: Path, stdout_from: int = 0) -> list[Chunk]:
    """Return the chunks that a reader gets."""
    return [chunk for batch in batches(folder, {1: stdout_from, 2: 0}) for chunk in batch]


def test_both_streams_come_back_in_order_with_their_times(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "exe")
    writer.say(1, b"out", 5.0)
    writer.say(2, b"err\xff", 6.0)
    writer.say(1, b"more", 7.5)
    found = kept(tmp_path / "exe")
    assert found == [Chunk(1, 0, b"out"), Chunk(2, 0, b"err\xff"), Chunk(1, 3, b"more")]
    assert [chunk.at for chunk in found] == [5.0, 6.0, 7.5]
    assert list(newest_first(tmp_path / "exe")) == found[::-1]
    assert ends(tmp_path / "exe") == {1: 7, 2: 4}


def test_nothing_written_makes_nothing(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "exe")
    writer.spool.close()
    assert not (tmp_path / "exe").exists()
    assert kept(tmp_path / "exe") == []
    assert list(newest_first(tmp_path / "exe")) == []
    assert ends(tmp_path / "exe") == {1: 0, 2: 0}


def test_the_oldest_goes_and_the_bound_holds(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "exe")
    for _ in range(1000):
        writer.say(1, b"x" * 979)  # a record of 1000 bytes
        size = sum(each.stat().st_size for each in (tmp_path / "exe").iterdir())
        assert size <= MOST
    found = kept(tmp_path / "exe")
    assert found[0].offset > 0
    assert sum(len(chunk.data) for chunk in found) > MOST * 3 // 4
    assert ends(tmp_path / "exe") == {1: 979_000, 2: 0}


def test_a_reader_opens_only_what_it_needs(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "exe")
    for _ in range(50):
        writer.say(1, b"x" * 979)
    late = kept(tmp_path / "exe", stdout_from=45 * 979)
    assert len(late) <= 10
    assert late[0].offset <= 45 * 979


def test_a_record_that_was_cut_is_not_read(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "exe")
    writer.say(1, b"whole")
    writer.say(1, b"cut")
    (segment,) = (tmp_path / "exe").iterdir()
    whole = segment.read_bytes()
    for size in range(len(whole) - 1, HEAD.size + 4, -1):
        segment.write_bytes(whole[:size])
        assert kept(tmp_path / "exe") == [Chunk(1, 0, b"whole")]


def test_a_disk_that_fails_is_said_once_and_stops_it(tmp_path: Path) -> None:
    (tmp_path / "exe").write_text("in the way")
    writer = Writer(tmp_path / "exe")
    writer.say(1, b"a")
    writer.say(1, b"b")
    assert writer.notes == ["its output is no longer kept on disk: File exists"]


def test_a_segment_that_is_dropped_while_it_is_read_is_skipped(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "exe")
    for _ in range(30):
        writer.say(1, b"x" * 979)
    reading = batches(tmp_path / "exe", {1: 0, 2: 0})
    first = next(reading)
    for segment in (tmp_path / "exe").iterdir():
        segment.unlink()
    assert first[0].offset == 0
    assert [chunk for batch in reading for chunk in batch] == []
