"""What comes out is data: nothing that runs, leads elsewhere, or was there before (I8, I12)."""

import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom.client.tar import Archive
from cleanroom.client.unpack import Unpacker, is_git
from cleanroom.errors import Fault, UserError
from tests.client.test_tar import made


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder beside one that nobody may touch."""
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "file").write_text("mine")
    (tmp_path / "out").mkdir()
    yield tmp_path / "out"
    assert [each.name for each in (tmp_path / "victim").iterdir()] == ["file"]
    assert (tmp_path / "victim" / "file").read_text() == "mine"


def unpack(place: Path, data: bytes, *, replace: bool = False) -> Unpacker:
    """Unpack it there."""
    top = os.open(place, os.O_RDONLY)
    try:
        unpacker = Unpacker(top, replace=replace)
        unpacker.unpack(Archive([data]))
    finally:
        os.close(top)
    return unpacker


def test_files_folders_and_harmless_links_come(place: Path) -> None:
    done = unpack(
        place,
        made(
            ("d", tarfile.DIRTYPE, b""),
            ("d/run", tarfile.REGTYPE, b"x"),
            ("deep/er/holes", tarfile.REGTYPE, bytes(5000) + b"end" + bytes(5000)),
            ("d/l", tarfile.SYMTYPE, b"../deep/er/holes"),
            ("none", tarfile.SYMTYPE, b"not/there"),
        ),
    )
    assert (done.skipped, done.written) == ([], 4)
    facts = (place / "d" / "run").stat()
    assert (stat.S_IMODE(facts.st_mode), facts.st_mtime) == (0o755, 7)  # no set-uid bit
    assert (place / "d" / "l").read_bytes() == bytes(5000) + b"end" + bytes(5000)
    assert str((place / "none").readlink()) == "not/there"


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (("l", tarfile.SYMTYPE, b"/etc/passwd"), "leads out"),
        (("l", tarfile.SYMTYPE, b"../victim"), "leads out"),
        (("d/l", tarfile.SYMTYPE, b"../../victim/file"), "leads out"),
        (("l", tarfile.SYMTYPE, b"d/../../victim"), "leads out"),
        (("l", tarfile.SYMTYPE, b"l"), "through another"),
        (("l", tarfile.LNKTYPE, b"../victim/file"), "neither"),
        (("l", tarfile.FIFOTYPE, b""), "neither"),
        (("l", tarfile.CHRTYPE, b""), "neither"),
        (("l", tarfile.BLKTYPE, b""), "neither"),
        ((".git/hooks/pre-commit", tarfile.REGTYPE, b"evil"), "git"),
        (("a/.GIT /config", tarfile.REGTYPE, b"evil"), "git"),
        (("sub/.git", tarfile.SYMTYPE, b"x"), "git"),
    ],
    ids=str,
)
def test_what_is_no_data_is_left_out_and_said(
    place: Path, entry: tuple[str, bytes, bytes], why: str
) -> None:
    done = unpack(place, made(entry, ("after", tarfile.REGTYPE, b"x")))
    ((path, said),) = done.skipped
    assert path == entry[0]
    assert why in said
    assert (place / "after").read_bytes() == b"x"
    assert not (place / "l").exists()
    assert not (place / "l").is_symlink()
    assert not (place / ".git").exists()


def test_no_path_goes_through_a_link(place: Path) -> None:
    (place / "there").symlink_to("../victim")
    with pytest.raises(OSError, match="there"):
        unpack(place, made(("there/new", tarfile.REGTYPE, b"x")), replace=True)


def test_links_through_links_are_left_out(place: Path) -> None:
    (place / "there").symlink_to("../victim")
    done = unpack(
        place,
        made(
            ("a", tarfile.SYMTYPE, b"b"),
            ("b", tarfile.SYMTYPE, b"sub"),
            ("c", tarfile.SYMTYPE, b"there/file"),
        ),
    )
    assert [path for path, _ in done.skipped] == ["a", "c"]
    assert str((place / "b").readlink()) == "sub"


def test_a_file_below_a_name_that_becomes_a_link_is_a_file(place: Path) -> None:
    with pytest.raises(UserError, match="it exists"):
        unpack(place, made(("a", tarfile.SYMTYPE, b"sub"), ("a/x", tarfile.REGTYPE, b"x")))
    assert (place / "a" / "x").read_bytes() == b"x"


def test_what_is_there_is_replaced_only_if_asked(place: Path) -> None:
    (place / "old").write_text("old")
    (place / "way").symlink_to("../victim/file")
    (place / "folder").mkdir()
    for name in ("old", "way"):
        data = made((name, tarfile.REGTYPE, b"new"))
        with pytest.raises(UserError, match="it exists"):
            unpack(place, data)
        unpack(place, data, replace=True)
        assert (place / name).read_text() == "new"
        assert not (place / name).is_symlink()
    with pytest.raises(UserError, match="it exists"):
        unpack(place, made(("folder", tarfile.REGTYPE, b"new")), replace=True)


def test_a_broken_archive_leaves_no_draft(place: Path) -> None:
    data = made(("a", tarfile.REGTYPE, b"x" * 5000))
    with pytest.raises(Fault):
        unpack(place, data[:2000])
    assert list(place.iterdir()) == []


def test_what_is_too_deep_for_other_programs_is_left_out(place: Path) -> None:
    deep = "d/" * 64
    kept, left = (f"{deep}file", tarfile.REGTYPE, b"x"), (f"{deep}d/file", tarfile.REGTYPE, b"x")
    done = unpack(place, made(kept, left))
    assert done.skipped == [(f"{deep}d/file", "deeper than 64 folders")]
    assert [each.name for each in (place / deep).iterdir()] == ["file"]


ALIKE = (".git", ".GIT", ".git.", ".git ", "git~1", ".g\u200cit", ".git::$INDEX_ALLOCATION")


@pytest.mark.parametrize("name", [*ALIKE, ".git:x", ".Git \\hooks"])
def test_what_a_file_system_may_take_for_git(name: str) -> None:
    assert is_git(name)


@pytest.mark.parametrize("name", [".github", ".gitignore", "git", "a.git", "x"])
def test_what_it_may_not(name: str) -> None:
    assert not is_git(name)
