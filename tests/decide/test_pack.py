import hashlib
from collections.abc import Generator

import pytest

from cleanroom.decide import objects
from cleanroom.decide.objects import Asked
from cleanroom.decide.pack import BAD, LARGE, what_came
from cleanroom.decide.upload_pack import PACK, TALK
from tests.decide.packs import BLOB, COMMIT, TREE, commit, entry, name, pack, tree
from tests.decide.test_upload_pack import pkt

CONTENT = b"PACK" + bytes(range(200)) * 3
MADE = CONTENT + hashlib.sha1(CONTENT, usedforsecurity=False).digest()


def bands(data: bytes, size: int = 50) -> list[bytes]:
    return [b"\x01" + data[at : at + size] for at in range(0, len(data), size)]


def came(answer: bytes, algorithm: str = "sha1", held: Asked | None = None) -> str:
    def read(at: int, size: int) -> bytes:
        return answer[at : at + size]

    following: Generator[None, None, str] = what_came(read, len(answer), algorithm, held)
    found: list[str] = []

    def follow() -> Generator[None, None, None]:
        found.append((yield from following))

    for _ in follow():
        pass
    return found[0]


NEW = pkt("acknowledgments\n", "ready\n", 1, "packfile\n", b"\x02Counting", *bands(MADE), 0)
OLD = pkt("NAK\n", b"\x02Counting", *bands(MADE), 0)


@pytest.mark.parametrize("answer", [NEW, OLD, pkt(b"\x01packfile\n", *bands(MADE, 1), 0)])
def test_a_pack_is_whole_and_its_checksum_right(answer: bytes) -> None:
    assert came(answer) == PACK


def test_a_repository_of_sha256_has_other_checksums() -> None:
    made = CONTENT + hashlib.sha256(CONTENT).digest()
    answer = pkt("packfile\n", *bands(made), 0)
    assert (came(answer, "sha256") == PACK, came(answer) == PACK) == (True, False)


@pytest.mark.parametrize("answer", [NEW, OLD])
def test_a_pack_that_is_cut_anywhere_is_none(answer: bytes) -> None:
    assert PACK not in {came(answer[:end]) for end in range(len(answer))}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "an empty answer"),
        (b"PACK", "an answer that is cut"),
        (b"0000x", "an answer that is cut"),
        (b"0002", "an answer that is cut"),
        (pkt("packfile\n", *bands(MADE)), "a pack that is cut"),
        (pkt("packfile\n", *bands(MADE[:-1]), 0), "checksum is wrong"),
        (pkt("packfile\n", *bands(MADE.replace(b"\x07", b"\x08")), 0), "checksum is wrong"),
        (pkt("packfile\n", *bands(b"NONE" + MADE), 0), "checksum is wrong"),
        (pkt("packfile\n", 0), "checksum is wrong"),
        (b"0001" * 30_000 + pkt("packfile\n", *bands(MADE), 0), "too many pieces"),
    ],
)
def test_what_is_no_pack_says_why(answer: bytes, words: str) -> None:
    assert words in came(answer)


def test_no_pack_comes_in_before_the_one_that_is_read() -> None:
    """In version 0 a client takes all of it for one pack, and git's unpacks the first."""
    whole = (*WHOLE, entry(COMMIT, OLDER))
    first, second = pack(*whole, entry(BLOB, b"more")), pack(*whole)
    assert came(pkt("NAK\n", *bands(second), 0), held=held()) == PACK
    smuggled = pkt("NAK\n", b"\x01" + first[:2], *bands(first[2:]), *bands(second), 0)
    assert came(smuggled, held=held()) not in (PACK, TALK)


@pytest.mark.parametrize(
    "answer",
    [
        pkt("acknowledgments\n", "NAK\n", 0),
        pkt("NAK\n"),
        pkt("ERR upload-pack: not our ref\n"),
        pkt("packfile\n", *bands(MADE)[:2], b"\x03it gave up"),
        pkt("packfile\n", *bands(MADE), b"\x03it gave up", 0),
    ],
)
def test_what_a_host_says_without_a_pack_is_talk(answer: bytes) -> None:
    assert came(answer) == TALK


FILE = b"a file\n" * 500
FILES = tree(("100644 a", name(BLOB, FILE)))
OLDER = commit(name(TREE, FILES))
LAST = commit(name(TREE, FILES), name(COMMIT, OLDER))
WHOLE = (entry(COMMIT, LAST), entry(TREE, FILES), entry(BLOB, FILE))
PINNED = name(COMMIT, LAST)


def held(*, has_some: bool = False, is_part: bool = False) -> Asked:
    return Asked(frozenset({PINNED}), has_some, is_part)


def answered(*entries: bytes, before: tuple[str | bytes | int, ...] = ()) -> bytes:
    return pkt(*before, "packfile\n", *bands(pack(*entries), 7), 0)


def test_a_pack_that_is_held_has_what_was_asked_for() -> None:
    whole = (*WHOLE, entry(COMMIT, OLDER))
    assert came(answered(*whole), held=held()) == PACK
    for slow in ((), (b"\x01", b"\x02Counting", b"\x01")):  # a host that has to think
        old = pkt("NAK\n", *slow, *bands(pack(*whole)), 0)
        assert came(old, held=held()) == PACK
    assert came(answered(*WHOLE), held=held()).startswith(
        f"{BAD}lacks {name(COMMIT, OLDER).hex()[:12]}"
    )
    assert came(answered(*WHOLE)) == PACK  # it is whole, which is all that others ask for
    more = entry(BLOB, b"more")
    assert came(answered(*whole, more), held=held()).endswith("for which nobody asked")


@pytest.mark.parametrize(
    ("bound", "value"), [("MOST_OBJECTS", 3), ("MOST_WORK", 1000), ("MOST_LISTED", 10)]
)
def test_a_pack_that_is_too_large_is_said_to_be_so(
    monkeypatch: pytest.MonkeyPatch, bound: str, value: int
) -> None:
    monkeypatch.setattr(objects, bound, value)
    assert came(answered(*WHOLE, entry(COMMIT, OLDER)), held=held()).startswith(LARGE)


def test_a_pack_for_one_who_has_some_is_not_for_others() -> None:
    assert came(answered(*WHOLE), held=held(has_some=True)) == TALK


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_pack_without_history_says_where_it_is_cut(end: str) -> None:
    cut = ("shallow-info\n", f"shallow {PINNED.hex()}{end}", 1)
    part = held(is_part=True)
    assert came(answered(*WHOLE, before=cut), held=part) == PACK
    lacks = f"{BAD}lacks {name(COMMIT, OLDER).hex()[:12]}"  # of who asked for all of it
    assert came(answered(*WHOLE, before=cut), held=held()).startswith(lacks)
    other = ("shallow-info\n", f"shallow {PINNED.hex()[1:]}", 1)
    assert came(answered(*WHOLE, before=other), held=part).startswith(BAD)


def test_what_is_known_of_an_answer_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host can send many gigabytes of it."""
    whole = (*WHOLE, entry(COMMIT, OLDER))
    lines = [f"shallow {at:040x}" for at in range(2000)]
    cut: tuple[str | int, ...] = ("shallow-info\n", *lines, 1)
    missing = f"{BAD}has no 000000000000"
    assert came(answered(*whole, before=cut[:2]), held=held(is_part=True)) == missing
    monkeypatch.setattr("cleanroom.decide.pack._MOST_CUT", 5)
    assert came(answered(*whole, before=cut), held=held()) == "a pack with too much beside it"
    assert came(answered(*whole, before=cut)) == PACK
    monkeypatch.setattr("cleanroom.decide.pack.MOST_WORK", 100)
    assert came(answered(*whole), held=held()) == f"{LARGE}has more bytes than are checked"
    assert came(answered(*whole)) == PACK


def test_beside_a_pack_that_is_held_there_is_little() -> None:
    whole = (*WHOLE, entry(COMMIT, OLDER))
    notes = pkt("packfile\n", *[b"\x02" + b"x" * 60_000] * 2, *bands(pack(*whole)), 0)
    assert came(notes) == PACK
    assert came(notes, held=held()) == "a pack with too much beside it"
    note = pkt("packfile\n", b"\x02" + b"x" * 60_000, b"\x01", *bands(pack(*whole)), 0)
    assert came(note, held=held()) == PACK


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("packfile\n",), (b"\x03sorry", 0)),
        (("packfile\n",), (0, b"\x03sorry", 0)),
        (("packfile\n",), (0, "ERR sorry", 0)),
        (("ERR sorry", "packfile\n"), (0,)),
        (("packfile", b"\x01"), (0,)),
        (("packfile", b"\x01P"), (0,)),
        (("NAK\n", b"\x01"), (0,)),
        ((b"\x01acknowledgments\n", b"\x01NAK\n", 1, b"\x01packfile\n"), (b"\x03sorry", 0)),
    ],
)
def test_a_pack_that_is_held_is_no_talk_however_it_is_told_of(
    before: tuple[str | bytes, ...], after: tuple[str | bytes | int, ...]
) -> None:
    """Clients keep what has come of it, though the rest goes wrong."""
    made = pack(*WHOLE, entry(BLOB, b"more"))
    begun = before[-1] == b"\x01P"
    answer = pkt(*before, *bands(made[1:] if begun else made), *after)
    assert came(answer, held=held()) not in (PACK, TALK)


@pytest.mark.parametrize(
    "answer",
    [
        pkt("acknowledgments\n", "NAK\n", 0),
        pkt("NAK\n", b"\x02Counting"),
        pkt("ERR upload-pack: not our ref\n"),
        pkt(b"\x03sorry", 0),
    ],
)
def test_what_a_host_says_is_talk_to_who_is_held_too(answer: bytes) -> None:
    assert came(answer, held=held()) == TALK
