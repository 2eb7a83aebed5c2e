"""Packs made here, and packs that git itself makes."""

import hashlib
import os
import shutil
import subprocess
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.decide.ancestry import (
    MAX_COMMITS,
    MAX_INFLATED,
    MAX_PARENTS,
    follows,
    parents_in,
)

TREE = "e" * 40


def commit(*parents: str, said: str = "said", tree: str = TREE) -> bytes:
    lines = [f"tree {tree}", *(f"parent {each}" for each in parents), "author x", "", said]
    return "\n".join(lines).encode()


def named(text: bytes, digest: str = "sha1") -> str:
    return hashlib.new(digest, b"commit %d\0%b" % (len(text), text)).hexdigest()


def entry(kind: int, text: bytes, base: bytes = b"", size: int | None = None) -> bytes:
    left = len(text) if size is None else size
    head = bytearray([kind << 4 | left & 15])
    left >>= 4
    while left:
        head[-1] |= 0x80
        head.append(left & 0x7F)
        left >>= 7
    return bytes(head) + base + zlib.compress(text)


def pack(*entries: bytes) -> bytes:
    return b"PACK\0\0\0\2" + len(entries).to_bytes(4, "big") + b"".join(entries)


ONE = commit("a" * 40, said="one")
TWO = commit(named(ONE), said="two" * 300)
MERGE = commit(named(TWO), "b" * 40, said="merge")


def test_commits_are_known_by_what_they_are() -> None:
    found = parents_in(pack(*(entry(1, each) for each in (MERGE, TWO, ONE))), 40)
    assert found == {
        named(MERGE): (named(TWO), "b" * 40),
        named(TWO): (named(ONE),),
        named(ONE): ("a" * 40,),
    }
    assert list(parents_in(pack(entry(1, ONE)), 64)) == [named(ONE, "sha256")]
    for old in ("a" * 40, "b" * 40, named(ONE), named(TWO)):
        assert follows(named(MERGE), old, found)
    for new, old in ((named(MERGE), "c" * 40), (named(ONE), named(MERGE)), ("a" * 40, "a" * 40)):
        assert not follows(new, old, found)
    assert not follows(named(MERGE), named(MERGE), found)


def test_a_circle_ends() -> None:
    assert not follows("x", "z", {"x": ("y", "y"), "y": ("x",)})


def test_a_commit_is_read_as_git_reads_it() -> None:
    """A parent is what stands directly behind the tree, and nowhere else."""
    for text in (
        commit(said=f"parent {'a' * 40}"),
        f"parent {'a' * 40}\ntree {TREE}\n".encode(),
        f"tree {TREE}\nauthor x\nparent {'a' * 40}\n".encode(),
    ):
        assert list(parents_in(pack(entry(1, text)), 40).values()) == [()]


def delta(base: bytes, *steps: bytes, size: int) -> bytes:
    def number(value: int) -> bytes:
        made = bytearray()
        while value > 0x7F:
            made.append(value & 0x7F | 0x80)
            value >>= 7
        return bytes([*made, value])

    return number(len(base)) + number(size) + b"".join(steps)


def copy(start: int, length: int) -> bytes:
    return bytes([0xBF]) + start.to_bytes(4, "little") + length.to_bytes(2, "little")


OTHER = TWO[:40] + b"0" + TWO[41:]
STEPS = copy(0, 40), b"\x010", copy(41, len(TWO) - 41)


def based(*steps: bytes, base: bytes = TWO, size: int = len(OTHER), back: int = 0) -> bytes:
    first = entry(1, TWO)
    offset = back or len(first)
    written = bytes([offset & 0x7F])
    offset >>= 7
    while offset:
        offset -= 1
        written = bytes([0x80 | offset & 0x7F]) + written
        offset >>= 7
    return pack(first, entry(6, delta(base, *steps, size=size), written))


def test_a_commit_may_be_what_differs_from_another_one() -> None:
    assert set(parents_in(based(*STEPS), 40)) == {named(TWO), named(OTHER)}


@pytest.mark.parametrize(
    "broken",
    [
        based(*STEPS, size=len(OTHER) + 1),
        based(*STEPS, size=len(OTHER) - 1),
        based(*STEPS, size=1 << 20),
        based(*STEPS, base=ONE),
        based(*STEPS, back=7),
        based(*STEPS, back=1 << 30),
        based(b"\x7fx"),
        based(*STEPS[:1], b"\0", *STEPS[1:]),
        pack(entry(1, TWO), entry(6, b"", b"\x01")),
        pack(entry(1, TWO), entry(6, b"\xff\xff", b"\x01")),
        pack(entry(1, TWO), bytes([6 << 4]) + b"\xff" * 9),
        pack(entry(1, TWO), bytes([6 << 4]) + b"\xff"),
        pack(entry(1, TWO), b"\xff" * 9),
        pack(entry(1, TWO), b"\x9f"),
        pack(entry(1, TWO), entry(7, b"x", b"a" * 20)),
        pack(entry(1, TWO), entry(2, b"a tree"), entry(1, ONE)),
        pack(entry(1, TWO), entry(1, ONE, size=len(ONE) + 1)),
        pack(entry(1, TWO), entry(1, ONE, size=len(ONE) - 1)),
        pack(entry(1, TWO), entry(1, bytes(1 << 17))),
        pack(entry(1, TWO), entry(1, ONE)[:-30]),
        pack(entry(1, TWO), entry(1, ONE)[:3] + b"no zlib at all"),
        pack(entry(1, TWO)),
    ],
)
def test_what_stands_behind_something_else_proves_nothing(broken: bytes) -> None:
    assert set(parents_in(broken, 40)) == {named(TWO)}


@pytest.mark.parametrize("data", [b"", b"PACK\0\0\0\4\0\0\0\1", b"KCAP" + pack(entry(1, ONE))[4:]])
def test_what_is_no_pack_proves_nothing(data: bytes) -> None:
    assert parents_in(data, 40) == {}


def test_no_more_is_unpacked_than_a_push_is_worth() -> None:
    large = [commit(said=f"{number}{' ' * 60_000}") for number in range(100)]
    found = parents_in(pack(*(entry(1, each) for each in large)), 40)
    assert 0 < len(found) < MAX_INFLATED // 30_000


def test_no_more_work_is_done_than_a_push_is_worth() -> None:
    """Of which packs hold much: tiny commits, parents, and steps from one commit to another."""
    many = pack(*(entry(1, commit(said=f"{n}")) for n in range(MAX_COMMITS + 9)))
    assert len(parents_in(many, 40)) == MAX_COMMITS
    wide = [commit(*["a" * 40] * 1300, said=f"{n}") for n in range(9)]
    found = parents_in(pack(*(entry(1, each) for each in wide)), 40)
    assert len(found) == 9
    assert sum(map(len, found.values())) == MAX_PARENTS
    first = entry(1, TWO)
    steps = delta(TWO, *[b"\x01x"] * 10_000, size=10_000)
    again = [first]
    for _ in range(9):
        offset = sum(map(len, again))
        low, high = offset & 0x7F, offset >> 7
        back = bytes([low]) if not high else bytes([0x80 | high - 1, low])
        again.append(entry(6, steps, back))
    assert len(parents_in(pack(*again), 40)) == 2  # all of them are one commit


@given(st.binary(max_size=200), st.integers(0, 400))
def test_any_bytes_have_an_outcome(noise: bytes, at: int) -> None:
    data = based(*STEPS)
    parents_in(data[:at] + noise + data[at + len(noise) :], 40)


def test_what_git_packs_is_read(tmp_path: Path) -> None:
    """Thin, with commits that differ little from others."""
    git = shutil.which("git") or "git"  # tools/check-system asks for it
    who = {f"GIT_{role}_{key}": "a@mail.example" for role in ("AUTHOR", "COMMITTER")
           for key in ("NAME", "EMAIL")}  # fmt: skip
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1", **who}

    def run(*words: str, said: bytes = b"") -> bytes:
        done = subprocess.run(
            (git, *words), cwd=tmp_path, env=env, input=said, capture_output=True, check=True
        )
        return done.stdout

    run("init", "-q", "-b", "main")
    names = []
    text = "\n".join(f"a line that all of them have, number {n}" for n in range(40))
    for number in range(30):
        (tmp_path / "file").write_text(f"{number}\n" * 3000)
        run("add", ".")
        run("commit", "-q", "-m", f"{number}\n\n{text}")
        names.append(run("rev-parse", "HEAD").decode().strip())
    wanted = f"{names[-1]}\n^{names[4]}\n".encode()
    packed = run("pack-objects", "--revs", "--stdout", "--thin", "--delta-base-offset", "-q",
                 said=wanted)  # fmt: skip
    found = parents_in(packed, 40)
    assert set(found) == set(names[5:])
    assert follows(names[-1], names[4], found)
    assert not follows(names[-1], names[3], found)
