"""Packs that have what was asked for and nothing else, and those of hosts that would like more."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.decide import objects
from cleanroom.decide.objects import MOST_OBJECTS, Asked, fault_of
from tests.decide.packs import (
    BLOB,
    COMMIT,
    OFS,
    REF,
    TAG,
    TREE,
    commit,
    copied,
    entry,
    fault,
    name,
    number,
    pack,
    tree,
)


def noise(seed: int, size: int) -> bytes:
    """Return bytes that cannot be compressed."""
    made = b"".join(hashlib.sha256(b"%d %d" % (seed, at)).digest() for at in range(0, size, 32))
    return made[:size]


FILE, OTHER = b"a file\n" * 20, b"another file\n"
BIG = noise(1, 300_000)
FILES = tree(("100644 a", name(BLOB, FILE)), ("100755 b", name(BLOB, BIG)))
FOLDER = tree(("40000 dir", name(TREE, FILES)), ("160000 sub", b"s" * 20))
FIRST = commit(name(TREE, FILES))
LAST = commit(name(TREE, FOLDER), name(COMMIT, FIRST))
WANTED = Asked(frozenset({name(COMMIT, LAST)}))
WHOLE = (
    entry(COMMIT, LAST),
    entry(COMMIT, FIRST),
    entry(TREE, FOLDER),
    entry(TREE, FILES),
    entry(BLOB, FILE),
    entry(BLOB, BIG),
)


def without(number_of: int) -> bytes:
    return pack(*(each for count, each in enumerate(WHOLE) if count != number_of))


def test_what_was_wanted_is_read_whole() -> None:
    assert fault(pack(*WHOLE), WANTED) == ""
    assert fault(pack(*reversed(WHOLE)), WANTED) == ""


def test_objects_of_sha256_have_longer_names() -> None:
    files = tree(("100644 a", name(BLOB, FILE, "sha256")))
    last = commit(name(TREE, files, "sha256"))
    asked = Asked(frozenset({name(COMMIT, last, "sha256")}))
    made = (entry(COMMIT, last), entry(TREE, files), entry(BLOB, FILE))
    assert fault(pack(*made, algorithm="sha256"), asked, "sha256") == ""
    assert fault(pack(*made[:2], algorithm="sha256"), asked, "sha256").startswith("lacks ")


def test_large_objects_are_read_in_parts() -> None:
    zeros = bytes(3_000_000)
    files = tree(("100644 zeros", name(BLOB, zeros)))
    last = commit(name(TREE, files)) + noise(2, 300_000)
    asked = Asked(frozenset({name(COMMIT, last)}))
    made = (entry(COMMIT, last), entry(TREE, files), entry(BLOB, zeros))
    assert fault(pack(*made), asked) == ""


@pytest.mark.parametrize("number_of", range(6))
def test_a_pack_that_lacks_an_object_is_found(number_of: int) -> None:
    assert fault(without(number_of), WANTED).split(" ")[0] in ("lacks", "has")
    assert fault(pack(), WANTED) == f"has no {name(COMMIT, LAST).hex()[:12]}"


@pytest.mark.parametrize(
    "more",
    [
        (entry(BLOB, OTHER),),
        (entry(TREE, tree(("100644 x", name(BLOB, OTHER)))), entry(BLOB, OTHER)),
        (entry(COMMIT, commit(name(TREE, FILES))[:-1]),),
        (entry(COMMIT, commit(name(TREE, FILES), name(COMMIT, LAST))),),
        (entry(TAG, b"object %b\n" % name(COMMIT, LAST).hex().encode()),),
    ],
)
def test_what_nobody_asked_for_is_found(more: tuple[bytes, ...]) -> None:
    """Also what comes after the wanted commit, and what stands together only."""
    assert fault(pack(*WHOLE, *more), WANTED).endswith("in it, for which nobody asked")
    some = Asked(WANTED.wanted, has_some=True)
    assert fault(pack(*WHOLE, *more), some).endswith("in it, for which nobody asked")


def test_another_file_in_place_of_one_is_found() -> None:
    other = (*WHOLE[:4], entry(BLOB, FILE.upper()), WHOLE[5])
    assert fault(pack(*other), WANTED).startswith(("lacks", "has"))
    other = (*WHOLE[:5], entry(BLOB, BIG[::-1]))
    assert fault(pack(*other), WANTED).startswith(("lacks", "has"))


def test_one_who_has_some_need_not_get_all() -> None:
    some = Asked(WANTED.wanted, has_some=True)
    assert fault(pack(*WHOLE[:1], WHOLE[2]), some) == ""
    assert fault(pack(WHOLE[2]), some).startswith("has no ")


def test_what_is_asked_for_again_need_not_come() -> None:
    again = Asked(WANTED.wanted, has_some=True, had=WANTED.wanted)
    assert fault(pack(), again) == ""
    assert fault(pack(WHOLE[4]), again).endswith("in it, for which nobody asked")
    assert fault(pack(), Asked(WANTED.wanted, had=WANTED.wanted)).startswith("has no ")


def test_a_part_of_history_is_whole_without_parents() -> None:
    last = name(COMMIT, LAST)
    cut = (WHOLE[0], *WHOLE[2:])
    assert fault(pack(*cut), WANTED).startswith("lacks ")
    assert fault(pack(*cut), Asked(WANTED.wanted, cut=frozenset({last}))) == ""
    # What it calls cut must be one of its own.
    odd = Asked(WANTED.wanted, cut=frozenset({last, b"x" * 20}))
    assert fault(pack(*cut), odd) == f"has no {(b'x' * 20).hex()[:12]}"


def ofs(distance: int) -> bytes:
    made = [distance & 0x7F]
    while distance := distance >> 7:
        distance -= 1
        made.append(distance & 0x7F | 0x80)
    return bytes(reversed(made))


NEWER = FILE + b"and more\n"
NEWEST = NEWER + b"and this"
NEW_FILES = tree(
    *((f"100644 {n}", name(BLOB, each)) for n, each in enumerate((FILE, NEWER, NEWEST)))
)
NEW = commit(name(TREE, NEW_FILES))
ASKED = Asked(frozenset({name(COMMIT, NEW)}))
TOP = (entry(COMMIT, NEW), entry(TREE, NEW_FILES))
BASE = entry(BLOB, FILE)
SECOND = entry(REF, copied(FILE, b"and more\n"), name(BLOB, FILE))
THIRD = entry(REF, copied(NEWER, b"and this"), name(BLOB, NEWER))


@pytest.mark.parametrize(
    "entries", [(BASE, SECOND, THIRD), (THIRD, SECOND, BASE), (SECOND, BASE, THIRD)]
)
def test_differences_are_made_whole_whatever_their_order(entries: tuple[bytes, ...]) -> None:
    assert fault(pack(*TOP, *entries), ASKED) == ""
    assert fault(pack(*entries, *TOP), ASKED) == ""


def test_what_is_made_of_a_large_file_may_stand_before_it() -> None:
    newer = BIG + b"and more"
    copy = b"".join(
        b"\xbf" + at.to_bytes(4, "little") + min(50_000, len(BIG) - at).to_bytes(2, "little")
        for at in range(0, len(BIG), 50_000)
    )
    steps = number(len(BIG)) + number(len(newer)) + copy + b"\x08and more"
    files = tree(("100644 a", name(BLOB, BIG)), ("100644 b", name(BLOB, newer)))
    last = commit(name(TREE, files))
    asked = Asked(frozenset({name(COMMIT, last)}))
    base, made = entry(BLOB, BIG), entry(REF, steps, name(BLOB, BIG))
    for entries in ((base, made), (made, base)):
        assert fault(pack(entry(COMMIT, last), entry(TREE, files), *entries), asked) == ""


def test_differences_may_say_where_their_base_is() -> None:
    second = entry(OFS, copied(FILE, b"and more\n"), ofs(len(BASE)))
    third = entry(OFS, copied(NEWER, b"and this"), ofs(len(second)))
    assert fault(pack(*TOP, BASE, second, third), ASKED) == ""
    # Based on one that waits for its own base.
    third = entry(OFS, copied(NEWER, b"and this"), ofs(len(SECOND)))
    assert fault(pack(*TOP, SECOND, third, BASE), ASKED) == ""


@pytest.mark.parametrize("kept", [0, 200])
def test_bases_that_are_not_at_hand_are_made_again(
    monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    monkeypatch.setattr(objects, "_KEPT", kept)
    for entries in ((BASE, SECOND, THIRD), (THIRD, SECOND, BASE)):
        assert fault(pack(*TOP, *entries), ASKED) == ""


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ((BASE, SECOND), "lacks "),
        ((SECOND, THIRD), "has differences to what is not in it"),
        ((BASE, entry(REF, copied(NEWER, b"x"), name(BLOB, FILE))), "has a difference to another"),
        ((BASE, entry(REF, b"\x05\x05\xff", name(BLOB, FILE))), "has a difference to another"),
        ((BASE, entry(REF, b"", name(BLOB, FILE))), "has a difference to another"),
        ((BASE, entry(OFS, b"x", ofs(5))), "is cut, or is none of git's"),
        ((BASE, entry(OFS, b"x", ofs(100_000))), "is cut, or is none of git's"),
        ((BASE, entry(OFS, b"x", b"\xff" * 9)), "is cut, or is none of git's"),
        ((BASE, entry(0, b"x")), "is cut, or is none of git's"),
        ((BASE, entry(5, b"x")), "is cut, or is none of git's"),
        ((BASE, b"\xff" * 40), "is cut, or is none of git's"),
        ((BASE, BASE), "has an object twice"),
        ((BASE, entry(BLOB, b"short", size=9)), "has an object that is cut"),
        ((BASE, entry(BLOB, b"longer", size=2)), "has an object that is cut"),
        ((BASE, b"\x35no zlib"), "has an object that is cut"),
        ((BASE, entry(BLOB, BIG, size=400_000)), "has an object that is cut"),
        ((BASE, entry(BLOB, BIG, size=100_000)), "has an object that is cut"),
        ((BASE, entry(BLOB, b"x", size=100_000)[:8]), "has an object that is cut"),
        ((BASE, entry(BLOB, b"", size=70_000)[:4] + b"no zlib"), "has an object that is cut"),
        ((BASE, entry(TREE, b"", size=1 << 26)), "has an object that is too large"),
        ((BASE, entry(COMMIT, b"author x\n\n")), "has an object that is none of git's"),
        ((BASE, entry(COMMIT, b"tree abc\n")), "has an object that is none of git's"),
        ((BASE, entry(TAG, b"tag x\n")), "has an object that is none of git's"),
        ((BASE, entry(TREE, b"100644 a\0short")), "has an object that is none of git's"),
        ((BASE, entry(TREE, b"100644 " * 40_000)), "has an object that is none of git's"),
        ((BASE, entry(TREE, b"1" * 100_000)), "has an object that is none of git's"),
        ((BASE, SECOND, THIRD, b"hidden"), "is cut, or is none of git's"),
    ],
)
def test_what_git_would_not_write_is_found(entries: tuple[bytes, ...], words: str) -> None:
    assert fault(pack(*TOP, *entries), ASKED).startswith(words)


def test_what_stands_behind_the_last_object_is_found() -> None:
    made = pack(*TOP, BASE, SECOND, THIRD, b"hidden", count=5)
    assert fault(made, ASKED) == "does not end behind its last object"
    assert fault(b"no pack", ASKED) == "does not end behind its last object"


def test_work_and_room_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    many = pack(*WHOLE, count=MOST_OBJECTS + 1)
    assert fault(many, WANTED).startswith(f"has {MOST_OBJECTS + 1} objects, more than")
    monkeypatch.setattr(objects, "MOST_WORK", 100_000)
    assert fault(pack(*WHOLE), WANTED) == "takes more work than is spent on one"
    monkeypatch.undo()
    monkeypatch.setattr(objects, "MOST_OBJECTS", 6)
    wide = tree(*((f"100644 {each}", b"%020d" % each) for each in range(20)))
    made = pack(entry(COMMIT, commit(name(TREE, wide))), entry(TREE, wide))
    assert fault(made, WANTED) == "names more than is in it"


def test_what_is_held_whole_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "MOST_LISTED", 50)
    assert fault(pack(*WHOLE), WANTED) == "has an object that is too large to be checked"
    monkeypatch.undo()
    monkeypatch.setattr(objects, "_KEPT", 0)
    monkeypatch.setattr(objects, "MOST_HELD", 400)
    assert fault(pack(BASE, SECOND, THIRD, *TOP), ASKED).startswith("has an object that is too")


def test_others_have_their_turn() -> None:
    made = pack(*WHOLE)
    turns = fault_of(lambda at, size: made[at : at + size], len(made), WANTED, "sha1")
    assert sum(1 for _ in turns) > len(BIG) // (64 * 1024)


@pytest.mark.parametrize(
    "made",
    [
        entry(TREE, tree(*[("100644 a", b"x" * 20)] * 40_000)),
        entry(COMMIT, commit(b"t" * 20, *[b"p" * 20] * 40_000)),
        entry(REF, b"x" * 1_000_000, b"b" * 20),
    ],
)
def test_others_have_their_turn_while_one_large_object_is_read(made: bytes) -> None:
    """Whatever it is: to name what a folder of megabytes has takes as long as to read it."""
    whole = pack(made)
    turns = fault_of(lambda at, size: whole[at : at + size], len(whole), WANTED, "sha1")
    assert sum(1 for _ in turns) > 14


@given(st.integers(0, len(pack(*TOP, BASE, SECOND, THIRD)) - 21), st.integers(1, 255))
def test_a_pack_that_was_changed_anywhere_is_read_to_an_end(at: int, by: int) -> None:
    """It is right only if just the way in which its bytes are compressed was changed."""
    made = bytearray(pack(*TOP, BASE, SECOND, THIRD))
    made[at] ^= by
    found = fault(bytes(made), ASKED)
    assert not found or found.split(" ")[0] in ("has", "lacks", "is", "does", "takes", "names")


@given(st.binary(max_size=300))
def test_whatever_comes_has_an_end(data: bytes) -> None:
    assert fault(pack(data, count=3), WANTED)


GIT = shutil.which("git") or "git"  # tools/check-system asks for it


def git(folder: Path, *words: str, given: bytes = b"") -> bytes:
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    who = ("-c", "user.name=x", "-c", "user.email=x@mail.example")
    done = subprocess.run(
        (GIT, *who, *words), cwd=folder, env=env, input=given, capture_output=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize("flags", [(), ("--delta-base-offset",)])
@pytest.mark.parametrize("form", ["sha1", "sha256"])
def test_what_git_itself_writes_is_read(tmp_path: Path, form: str, flags: tuple[str, ...]) -> None:
    git(tmp_path, "init", "-q", f"--object-format={form}")
    text = [f"line {each}" for each in range(2000)]
    for count in range(12):
        text[count * 100] = f"changed {count}"
        (tmp_path / f"d{count % 3}").mkdir(exist_ok=True)
        (tmp_path / f"d{count % 3}" / "file").write_text("\n".join(text))
        (tmp_path / "big").write_bytes(noise(count, 90_000))
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "-q", "-m", str(count))
    head = git(tmp_path, "rev-parse", "HEAD").strip()
    asked = Asked(frozenset({bytes.fromhex(head.decode())}))
    made = git(tmp_path, "pack-objects", "--revs", "--stdout", "-q", *flags, given=head + b"\n")
    assert fault(made, asked, form) == ""
    part = git(
        tmp_path, "pack-objects", "--revs", "--stdout", "-q", given=head + b"\n^" + head + b"~3\n"
    )
    assert fault(part, asked, form).startswith("lacks ")
    assert fault(part, Asked(asked.wanted, has_some=True), form) == ""
    all_of_it = git(tmp_path, "pack-objects", "--all", "--stdout", "-q", given=b"")
    older = bytes.fromhex(git(tmp_path, "rev-parse", "HEAD~").decode().strip())
    assert number(len(all_of_it))
    said = fault(all_of_it, Asked(frozenset({older})), form)
    assert said.endswith("for which nobody asked") or said.startswith("has no ")
