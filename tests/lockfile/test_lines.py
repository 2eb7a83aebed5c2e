"""What a reader writes is read as it was; what no reader writes is refused."""

import pytest

from cleanroom.lockfile import lines
from cleanroom.lockfile.formats import try_to_read
from cleanroom.lockfile.lines import Outcomes, WireError, begin, encode, pack, unpack
from cleanroom.lockfile.model import (
    Ecosystem,
    Limits,
    LockfileError,
    Pin,
    Reading,
    Strength,
    Unpinned,
)

PINS = tuple(
    Pin(Ecosystem.GO, f"p{number}", "1", digests=("h1:x",), strength=Strength.LOCKFILE)
    for number in range(5)
)
LOOSE = (Unpinned(Ecosystem.GO, "q", "1", "why", 3, local=True),)
READING = Reading("go.sum", "", PINS, LOOSE, ("other",))


def test_texts_arrive_as_they_were() -> None:
    texts = {"a": "\u20ac\ud800\n", "b\n": "", "c": "x"}
    assert unpack(pack(texts)) == texts
    assert unpack(pack({})) == {}


def test_outcomes_arrive_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "_ENTRIES", 2)
    outcomes = Outcomes(("a", "b"))
    assert not Outcomes("a").is_whole
    said = [begin("a"), *encode(READING)]
    assert len(said) == 1 + 3 + 1 + 1
    outcomes.take(said)
    outcomes.take([begin("b")])
    assert outcomes.reading == "b"
    outcomes.take(encode(LockfileError("cannot", 2, 3)))
    assert outcomes.is_whole
    assert outcomes.found["a"] == READING
    wrong = outcomes.found["b"]
    assert isinstance(wrong, LockfileError)
    assert (wrong.message, wrong.line, wrong.column) == ("cannot", 2, 3)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("package-lock.json", r'{"lockfileVersion": 3, "packages": {"\ud800": 1}}'),
        ("package-lock.json", r'{"lockfileVersion": 1, "dependencies": {"\udc00": 1}}'),
        ("Pipfile.lock", r'{"_meta": {"pipfile-spec": 6}, "default": {"\ud800": 1}}'),
        ("package-lock.json", r'{"lockfileVersion": 3, "packages": {"a\ud800": {"version": "1"}}}'),
    ],
)
def test_half_a_character_is_said_and_ends_no_reader(path: str, text: str) -> None:
    outcomes = Outcomes((path,))
    outcomes.take([begin(path), *encode(try_to_read(path, text))])
    assert outcomes.is_whole


@pytest.mark.parametrize(
    "said",
    [
        [b"{}"],
        [b'{"type":"Begun","path":"a","more":1}'],
        [b'{"type":"Begun","path":"\xff"}'],
        [b'{"type":' + b'{"a":' * 5000],
        [begin("c")],
        [begin("a"), begin("b")],
        [begin("a"), *encode(READING), begin("a")],
        list(encode(READING)),
        [begin("a"), b'{"type":"Entries","pins":[{"name":"x"}]}'],
    ],
)
def test_what_no_reader_writes_is_refused(said: list[bytes]) -> None:
    with pytest.raises(WireError):
        Outcomes(("a", "b")).take(said)


def test_a_file_has_no_more_entries_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LIMITS", Limits(entries=5))
    with pytest.raises(WireError, match="more entries"):
        Outcomes(("a",)).take([begin("a"), *encode(READING)])


def test_what_was_given_up_is_said_of_each_file() -> None:
    outcomes = Outcomes(("a", "b", "c"))
    outcomes.take([begin("a"), *encode(READING), begin("b")])
    outcomes.fail("cannot read it: it is slow")
    assert outcomes.found["a"] == READING
    messages = [str(outcomes.found[each]) for each in "bc"]
    assert messages == ["cannot read it: it is slow", "cannot read it: another one was given up"]
    outcomes.reading = ""
    outcomes.fail("nothing")
    assert set(outcomes.found) == {"a", "b", "c"}
