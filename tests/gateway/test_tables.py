"""Sorted tables in a file: what was put in is found, and nothing else."""

import mmap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.gateway.tables import (
    PAIR,
    TEXT,
    Spot,
    Stored,
    StoredNames,
    Table,
    TooLargeError,
    Writer,
)


def written(*found: dict[bytes, bytes]) -> tuple[mmap.mmap, list[Spot]]:
    pieces: list[bytes] = []
    writer = Writer(pieces.append)
    spots = [writer.add(sorted(each.items())) for each in found]
    data = b"".join(pieces)
    file = mmap.mmap(-1, len(data))
    file.write(data)
    return file, spots


PAIRS = st.dictionaries(st.binary(max_size=4), st.binary(max_size=4), max_size=20)


@given(PAIRS, PAIRS, st.binary(max_size=4))
def test_what_was_put_in_is_found_and_nothing_else(
    first: dict[bytes, bytes], second: dict[bytes, bytes], other: bytes
) -> None:
    data, spots = written(first, second)
    for spot, found in zip(spots, (first, second), strict=True):
        table, keys = Table(data, spot), sorted(found)
        assert len(table) == len(found)
        for key in [*found, other]:
            assert table.value(key) == found.get(key)
            assert table.after(key) == len([each for each in keys if each < key])
        assert [table.key(index) for index in range(len(keys) + 1)] == [*keys, b""]


def test_more_pairs_than_are_joined_at_once() -> None:
    found = {b"%06d" % number: b"v%d" % number for number in range(5001)}
    data, (spot,) = written(found)
    table = Table(data, spot)
    assert all(table.value(key) == value for key, value in found.items())


def test_a_part_is_a_table_of_its_own() -> None:
    pieces: list[bytes] = []
    spot = Writer(pieces.append).add([(b"b", b"1"), (b"c", b"2"), (b"a", b"3"), (b"d", b"4")])
    data = mmap.mmap(-1, len(b"".join(pieces)))
    data.write(b"".join(pieces))
    one, two = Table(data, spot).of(0, 2), Table(data, spot).of(2, 2)
    assert [one.value(key) for key in (b"a", b"b", b"c", b"d")] == [None, b"1", b"2", None]
    assert [two.value(key) for key in (b"a", b"b", b"c", b"d")] == [b"3", None, None, b"4"]
    assert list(Stored(two, TEXT, bytes)) == ["a", "d"]
    assert len(Table(data, spot).of(4, 0)) == 0


TEXTS = st.text(st.characters(codec=None), max_size=5) | st.text("a\0\1\udc80", max_size=5)


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=2, max_size=6))
def test_keys_are_written_one_way_and_keep_their_order(pairs: list[tuple[str, str]]) -> None:
    assert [PAIR.decode(PAIR.encode(each)) for each in pairs] == pairs
    assert sorted(pairs) == [PAIR.decode(key) for key in sorted(map(PAIR.encode, pairs))]
    texts = [first for first, _ in pairs]
    assert sorted(texts) == [TEXT.decode(key) for key in sorted(map(TEXT.encode, texts))]


def test_a_table_is_read_as_a_mapping_and_as_names() -> None:
    data, (spot, none) = written({b"a": b"1", b"b/c": b"2"}, {})
    found = Stored(Table(data, spot), TEXT, int)
    assert dict(found) == {"a": 1, "b/c": 2}
    assert "b" not in found
    with pytest.raises(KeyError):
        found["b"]
    names = StoredNames(Table(data, spot))
    assert [names.after(each) for each in ("", "a", "b", "c")] == ["a", "a", "b/c", ""]
    assert StoredNames(Table(data, none)).after("a") == ""


def test_what_the_file_may_not_have_is_refused_before_it_is_written() -> None:
    pairs = [(b"abc", b"def"), (b"ghi", b"jkl")]
    pieces: list[bytes] = []
    Writer(pieces.append, 32).add(pairs)
    assert len(b"".join(pieces)) == 32
    with pytest.raises(TooLargeError):
        Writer(pieces.append, 31).add(pairs)


def test_a_table_that_is_not_there_is_an_error() -> None:
    data, _ = written({b"a": b"1"})
    with pytest.raises(ValueError, match="not where it should be"):
        Table(data, Spot(1000, 1))
