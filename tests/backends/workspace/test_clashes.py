"""Names that are one name elsewhere."""

import os
from pathlib import Path

import pytest

from cleanroom.backends.workspace.clashes import clashes, folded

COMPOSED, DECOMPOSED = "n\u00e9e", "ne\u0301e"


def found(root: Path, *added: str, gone: tuple[str, ...] = ()) -> dict[str, str]:
    fd = os.open(root, os.O_RDONLY)
    try:
        return clashes(fd, added, frozenset(gone))
    finally:
        os.close(fd)


@pytest.mark.parametrize(
    ("one", "other"),
    [("README", "readme"), (COMPOSED, DECOMPOSED), ("stra\u00dfe", "STRASSE"), ("\u212a", "k")],
)
def test_case_and_spelling_make_no_difference(one: str, other: str) -> None:
    assert folded(one) == folded(other)


def test_a_new_name_may_not_look_like_one_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/App.js").touch()
    assert found(tmp_path, "src/app.js", "src/b", "SRC/c") == {
        "src/app.js": "src/App.js",
        "src/b": "SRC",
        "SRC/c": "src",
    }


def test_nor_like_another_new_one(tmp_path: Path) -> None:
    assert found(tmp_path, COMPOSED, DECOMPOSED, "d/x", "d/y") == {
        COMPOSED: DECOMPOSED,
        DECOMPOSED: COMPOSED,
    }


def test_a_name_may_change_its_case(tmp_path: Path) -> None:
    (tmp_path / "Readme").touch()
    assert found(tmp_path, "README", gone=("Readme",)) == {}


def test_what_is_there_twice_already_is_nobodys_doing(tmp_path: Path) -> None:
    (tmp_path / "A").touch()
    (tmp_path / "a").touch()
    assert found(tmp_path, "b") == {}
