import pytest

from cleanroom.lockfile import collector
from cleanroom.lockfile.collector import NO_DIGEST, Collector, Entry, Held
from cleanroom.lockfile.model import Ecosystem, Limits, LockfileError, Strength

DIGESTS = ("sha256:" + "a" * 64,)


def npm() -> Collector:
    return Collector("f", Ecosystem.NPM)


def test_an_entry_without_a_digest_is_not_pinned() -> None:
    found = npm()
    found.pin(Entry("a", "1", 7), Held())
    [entry] = found.reading("").unpinned
    assert (entry.name, entry.line, entry.reason, entry.local) == ("a", 7, NO_DIGEST, False)


def test_what_is_held_first_seen_has_no_digest() -> None:
    found = npm()
    found.pin(Entry("a", "1"), Held(DIGESTS, strength=Strength.FIRST_SEEN))
    [pin] = found.reading("").pins
    assert (pin.digests, pin.strength) == ((), Strength.FIRST_SEEN)


def test_python_names_are_canonical_and_npm_names_are_as_written() -> None:
    found = Collector("f", Ecosystem.PYPI)
    found.pin(Entry("A_b", "1.0"), Held(DIGESTS))
    found.unpinned(Entry("C.D", "2.0"), "x")
    reading = found.reading("")
    assert (reading.pins[0].name, reading.pins[0].version) == ("a-b", "1")
    assert reading.unpinned[0].name == "c-d"
    other = npm()
    other.pin(Entry("A_b", "1.0"), Held(DIGESTS))
    assert other.reading("").pins[0].name == "A_b"


def test_words_are_bounded_one_by_one() -> None:
    found = npm()
    held = Held(DIGESTS, "f" * 3000, "https://h.example/" + "u" * 3000)
    found.pin(Entry("a", "1"), held)
    [pin] = found.reading("").pins
    assert (pin.file, pin.url) == (held.file, held.url)


def test_the_same_pin_twice_is_one_pin() -> None:
    found = npm()
    for _ in range(2):
        found.pin(Entry("a", "1"), Held(DIGESTS))
    assert len(found.reading("").pins) == 1


@pytest.mark.parametrize(
    ("entry", "held"),
    [
        (Entry("a b", "1", 3), Held(DIGESTS)),
        (Entry("", "1", 3), Held(DIGESTS)),
        (Entry("a", "", 3), Held(DIGESTS)),
        (Entry("a", "1\r\n", 3), Held(DIGESTS)),
        (Entry("ä", "1", 3), Held(DIGESTS)),
        (Entry("a", "1", 3), Held(DIGESTS, file="a\x1b")),
        (Entry("a", "1", 3), Held(DIGESTS, url="https://r.example/ ")),
        (Entry("a" * 5000, "1", 3), Held(DIGESTS)),
    ],
)
def test_a_word_that_is_no_word_is_refused_at_its_line(entry: Entry, held: Held) -> None:
    with pytest.raises(LockfileError, match="cannot use") as refused:
        npm().pin(entry, held)
    assert refused.value.line == 3


def test_secrets_of_addresses_are_dropped_and_odd_names_escaped() -> None:
    found = npm()
    found.pin(Entry("a", "1"), Held(DIGESTS, url="https://user:token@r.example/a"))
    found.unpinned(Entry("x\x1b[2J", "https://user:token@h/" + "y" * 200), "why")
    reading = found.reading("")
    assert reading.pins[0].url == "https://r.example/a"
    assert reading.unpinned[0].name == r"'x\x1b[2J'"
    assert reading.unpinned[0].version.startswith("https://h/yy")
    assert len(reading.unpinned[0].version) < 130


def test_entries_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "LIMITS", Limits(entries=2))
    found = npm()
    found.pin(Entry("a", "1"), Held(DIGESTS))
    found.unpinned(Entry("b", "1"), "why")
    with pytest.raises(LockfileError, match="more than 2 entries") as refused:
        found.pin(Entry("c", "1", 9), Held(DIGESTS))
    assert refused.value.line == 9
