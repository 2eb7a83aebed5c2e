import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom.cache.index import Index
from cleanroom.cache.model import Digests, Fields, Info, Key

_KEY = Key("npm.example", "/ms", "json")
_FIELDS = Fields("application/json", '"e"', "Mon", "sender.example")


def _digests(letter: str, size: int = 10) -> Digests:
    return Digests(letter * 64, letter * 128, letter * 40, size)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    index = Index.open(tmp_path / "index.db")
    yield index
    index.close()


def test_what_was_added_is_found_under_its_whole_key_only(index: Index) -> None:
    index.add(_KEY, _digests("a"), _FIELDS, 100)
    found = index.find(_KEY, 100)
    assert found is not None
    assert (found.digests, found.fields, found.validated_s) == (_digests("a"), _FIELDS, 100)
    for other in (
        Key("other.example", "/ms", "json"),
        Key("npm.example", "/MS", "json"),
        Key("npm.example", "/ms", "html"),
        Key("npm.example", "/ms", "json", identity="token of a company"),
    ):
        assert index.find(other, 100) is None


def test_a_validation_is_written_down(index: Index) -> None:
    index.add(_KEY, _digests("a"), _FIELDS, 100)
    index.validated(_KEY, 500)
    found = index.find(_KEY, 500)
    assert found
    assert found.validated_s == 500


def test_what_is_used_is_not_the_oldest(index: Index) -> None:
    index.add(_KEY, _digests("a"), _FIELDS, 100)
    index.add(Key("npm.example", "/b"), _digests("b"), _FIELDS, 200)
    assert index.oldest(1) == ["a" * 64]
    index.find(_KEY, 5000)
    assert index.oldest(1) == ["b" * 64]
    assert index.oldest(20) == ["b" * 64, "a" * 64]
    assert index.oldest(0) == []


def test_what_is_forgotten_takes_its_entries_along(index: Index) -> None:
    index.add(_KEY, _digests("a"), _FIELDS, 100)
    index.add(Key("npm.example", "/b"), _digests("a"), _FIELDS, 100)
    assert index.info(1000) == Info(2, 1, 10, 1000)
    index.forget("a" * 64)
    assert index.info(1000) == Info(0, 0, 0, 1000)
    assert index.blobs() == {}


def test_the_first_seen_stays(index: Index) -> None:
    assert index.first_seen(_KEY) == ""
    assert index.first_seen(_KEY, "a" * 64) == "a" * 64
    assert index.first_seen(_KEY, "b" * 64) == "a" * 64
    index.forget("a" * 64)
    assert index.first_seen(_KEY) == "a" * 64


def test_what_was_seen_first_is_forgotten_by_the_host_that_has_most(index: Index) -> None:
    quiet = Key("quiet.example", "/a")
    index.first_seen(quiet, "0" * 64)
    loud = [Key("loud.example", f"/{number}") for number in range(5)]
    for number, key in enumerate(loud):
        digests = _digests("abcde"[number])
        if number != 3:  # the blob of that one is gone
            index.add(key, digests, _FIELDS, 200 if number == 1 else 100 + 10 * number)
        index.first_seen(key, digests.sha256)
    assert index.seen() == 6
    index.forget_seen(3)
    assert [bool(index.first_seen(key)) for key in loud] == [False, True, False, False, True]
    assert index.first_seen(quiet) == "0" * 64


def test_a_failed_change_changes_nothing(index: Index) -> None:
    with pytest.raises(sqlite3.Error):
        index.add(_KEY, Digests("a", "b", "c", "no number"), _FIELDS, 100)  # type: ignore[arg-type]
    assert index.info(0) == Info(0, 0, 0, 0)
    index.add(_KEY, _digests("a"), _FIELDS, 100)


def test_a_file_of_another_version_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "index.db"
    index = Index.open(path)
    index.add(_KEY, _digests("a"), _FIELDS, 100)
    index.close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    index = Index.open(path)
    assert index.find(_KEY, 100) is None
    index.close()


def test_what_is_kept_is_found_while_nothing_can_be_written(index: Index) -> None:
    """As on a full disk."""
    index.add(_KEY, _digests("a"), _FIELDS, 100)
    index._connection.execute("PRAGMA query_only = 1")
    found = index.find(_KEY, 5000)
    assert found is not None
    assert found.digests == _digests("a")
    with pytest.raises(sqlite3.Error):
        index.add(_KEY, _digests("b"), _FIELDS, 100)


def test_a_change_that_fails_at_its_very_end_stops_no_other(index: Index) -> None:
    index._connection.executescript("""
        PRAGMA foreign_keys = ON;
        CREATE TABLE parent (x PRIMARY KEY);
        CREATE TABLE child (x REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
        CREATE TRIGGER fails AFTER INSERT ON blobs BEGIN INSERT INTO child VALUES (1); END;
    """)
    with pytest.raises(sqlite3.IntegrityError):
        index.add(_KEY, _digests("a"), _FIELDS, 100)
    assert index.find(_KEY, 100) is None
    index._connection.execute("DROP TRIGGER fails")
    index.add(_KEY, _digests("a"), _FIELDS, 100)
    assert index.find(_KEY, 100) is not None
