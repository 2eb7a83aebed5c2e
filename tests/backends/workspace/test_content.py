"""Contents told apart: by what they hold, at the price of their data."""

import os
from pathlib import Path

import pytest

from cleanroom.backends.workspace.apply import apply
from cleanroom.backends.workspace.content import (
    BLOCK,
    Digest,
    content_digest,
    digest_of,
    same_content,
)
from cleanroom.backends.workspace.folders import opened
from tests.backends.workspace.overlays import Workspace

TERA = 1 << 40  # to read so much takes longer than any test may


@pytest.mark.parametrize(("one", "other"), [("", ""), ("a", "a"), ("a" * 70_000, "a" * 70_000)])
def test_equal_contents(tmp_path: Path, one: str, other: str) -> None:
    assert compared(tmp_path, one, other)


@pytest.mark.parametrize(
    ("one", "other"), [("", "a"), ("a", ""), ("a" * 70_000, "a" * 69_999 + "b"), ("ab", "a")]
)
def test_different_contents(tmp_path: Path, one: str, other: str) -> None:
    assert not compared(tmp_path, one, other)


def compared(folder: Path, one: str, other: str) -> bool:
    (folder / "one").write_text(one)
    (folder / "other").write_text(other)
    with (
        opened(os.open(folder / "one", os.O_RDONLY)) as first,
        opened(os.open(folder / "other", os.O_RDONLY)) as second,
    ):
        return same_content(first, second)


def sparse(place: Path, size: int, *pieces: tuple[int, bytes]) -> Path:
    with place.open("wb") as file:
        file.truncate(size)
        for at, data in pieces:
            os.pwrite(file.fileno(), data, at)
    return place


def digest(place: Path) -> str:
    with opened(os.open(place, os.O_RDONLY)) as fd:
        return content_digest(fd)


def is_same(one: Path, other: Path) -> bool:
    with opened(os.open(one, os.O_RDONLY)) as a, opened(os.open(other, os.O_RDONLY)) as b:
        return same_content(a, b)


def test_holes_are_not_read(tmp_path: Path) -> None:
    end = (TERA - 3, b"end")
    one, other = sparse(tmp_path / "one", TERA, end), sparse(tmp_path / "other", TERA, end)
    assert is_same(one, other)
    assert digest(one) == digest(other)
    other = sparse(tmp_path / "other", TERA, (5, b"x"), end)
    assert not is_same(one, other)
    assert digest(one) != digest(other)
    other = sparse(tmp_path / "other", TERA + 1, end)
    assert not is_same(one, other)
    assert digest(one) != digest(other)
    assert digest(sparse(one, TERA)) != digest(sparse(other, TERA + 1))


def test_zeros_are_a_hole_and_pieces_are_the_whole(tmp_path: Path) -> None:
    content = b"a" * 10 + bytes(3 * BLOCK) + b"b" * (BLOCK + 7) + bytes(BLOCK + 1)
    written = tmp_path / "written"
    written.write_bytes(content)
    ends = content.rindex(b"b") + 1
    holes = sparse(
        tmp_path / "holes", len(content), (0, b"a" * 10), (10 + 3 * BLOCK, b"b" * (BLOCK + 7))
    )
    assert content[ends:] == bytes(BLOCK + 1)
    assert is_same(written, holes)
    assert digest(written) == digest(holes) == digest_of(content)
    for size in (997, BLOCK - 1, BLOCK, 5 * BLOCK + 3):
        pieces = Digest()
        for at in range(0, len(content), size):
            pieces.update(content[at : at + size])
        assert pieces.end(len(content)) == digest_of(content)
    assert len({digest_of(bytes(size)) for size in (0, 1, BLOCK, BLOCK + 1)}) == 4


def test_files_of_nothing_hold_up_neither_apply_nor_diff(workspace: Workspace) -> None:
    make = "truncate -s 1T big; truncate -s 1T other; printf end >> other"
    workspace.run(make)
    assert apply(workspace.folder).applied == ("big", "other")
    assert (workspace.root / "other").stat().st_blocks < 1000
    assert workspace.kinds() == {}  # both sides are compared
    assert apply(workspace.folder).applied == ()
