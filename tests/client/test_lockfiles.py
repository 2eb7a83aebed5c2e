"""Which lock files are read: those that a policy names, of the caller's, in the folder."""

import os
from pathlib import Path

import pytest

from cleanroom.client import lockfiles
from cleanroom.client.lockfiles import find, read_lockfiles
from cleanroom.errors import Code, UserError

ME = os.getuid()


def tree(root: Path, *paths: str) -> None:
    """Make files that hold their own path."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("a.lock", ["a.lock"]),
        ("gone.lock", []),
        ("p/q/a.lock", ["p/q/a.lock"]),
        ("*.lock", ["a.lock", "b.lock"]),
        ("p/*/a.lock", ["p/q/a.lock", "p/r/a.lock"]),
        ("p/?/*.lock", ["p/q/a.lock", "p/r/a.lock"]),
        ("**/a.lock", ["a.lock", "p/q/a.lock", "p/r/a.lock"]),
        ("p/**", ["p/q/a.lock", "p/r/a.lock", "p/r/note.txt"]),
        ("**/**/q/**/a.lock", ["p/q/a.lock"]),
        (".hidden/*.lock", [".hidden/a.lock"]),
        ("node_modules/x/*.lock", ["node_modules/x/a.lock"]),
        ("none/*/a.lock", []),
    ],
)
def test_a_pattern_finds_files(tmp_path: Path, pattern: str, found: list[str]) -> None:
    tree(tmp_path, "a.lock", "b.lock", "p/q/a.lock", "p/r/a.lock", "p/r/note.txt")
    tree(tmp_path, ".hidden/a.lock", "node_modules/x/a.lock")
    assert find(str(tmp_path), [pattern]) == found


def test_wildcards_do_not_go_through_links_or_stop_at_odd_files(tmp_path: Path) -> None:
    tree(tmp_path, "real/a.lock")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "loop.lock").symlink_to("loop.lock")
    (tmp_path / "gone.lock").symlink_to("nowhere")
    os.mkfifo(tmp_path / "fifo.lock")
    assert find(str(tmp_path), ["**/*.lock"]) == ["real/a.lock"]
    assert find(str(tmp_path), ["link/*.lock"]) == ["link/a.lock"]


def test_many_globs_look_at_each_folder_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree(tmp_path, *(f"{name}/a.lock" for name in "abcdef"))
    monkeypatch.setattr(lockfiles, "MAX_ENTRIES", 12)
    assert len(find(str(tmp_path), ["**/a.lock", "*/a.lock", "**/**/*.lock"])) == 6
    monkeypatch.setattr(lockfiles, "MAX_ENTRIES", 11)
    with pytest.raises(UserError, match="more than 11 files are to be seen"):
        find(str(tmp_path), ["**/a.lock"])


def test_texts_are_read_and_what_is_absent_is_left_out(tmp_path: Path) -> None:
    tree(tmp_path, "a.lock", "p/a.lock")
    (tmp_path / "link.lock").symlink_to("p/a.lock")
    texts = read_lockfiles(str(tmp_path), ["*.lock", "a.lock", "p/a.lock", "gone.lock"], ME)
    assert texts == {"a.lock": "a.lock", "link.lock": "p/a.lock", "p/a.lock": "p/a.lock"}


def test_files_that_requirements_name_come_too(tmp_path: Path) -> None:
    tree(tmp_path, "r/extra.txt", "limits.txt", "r/base.in", "outside.txt")
    (tmp_path / "r" / "requirements.txt").write_text(
        "-r extra.txt\n-c ../limits.txt\n-r base.in\n-r ../../outside.txt\n-r gone.txt\n"
    )
    (tmp_path / "limits.txt").write_text("-r r/requirements.txt\n")
    texts = read_lockfiles(str(tmp_path), ["r/requirements.txt"], ME)
    assert list(texts) == ["r/requirements.txt", "r/extra.txt", "limits.txt"]


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_text_may_be_written_as_pip_reads_it(tmp_path: Path, coding: str) -> None:
    (tmp_path / "requirements.txt").write_text("foo==1  # ä\n", encoding=coding)
    (text,) = read_lockfiles(str(tmp_path), ["requirements.txt"], ME).values()
    assert text.removeprefix("\ufeff") == "foo==1  # ä\n"


def refused(root: Path, *patterns: str, uid: int = ME) -> str:
    """Return why files cannot be read."""
    with pytest.raises(UserError) as caught:
        read_lockfiles(str(root), patterns, uid)
    assert caught.value.code is Code.POLICY_INVALID
    return caught.value.message


def test_what_is_no_plain_file_of_the_caller_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "root"
    tree(tmp_path, "root/a.lock", "outside.lock")
    (root / "out.lock").symlink_to("../outside.lock")
    (root / "latin.lock").write_bytes(b"\xff\xff")
    os.mkfifo(root / "fifo.lock")
    assert refused(root, "out.lock") == "cannot read out.lock: it leads out of the workspace"
    assert refused(root, "fifo.lock") == "cannot read fifo.lock: it is not a regular file"
    assert refused(root, "latin.lock") == "cannot read latin.lock: it is not UTF-8"
    assert "not to you" in refused(root, "a.lock", uid=ME + 1)


def test_files_are_bounded_in_number_and_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree(tmp_path, "a.lock", "b.lock")
    monkeypatch.setattr(lockfiles, "MAX_BYTES", 12)
    assert len(read_lockfiles(str(tmp_path), ["*.lock"], ME)) == 2
    monkeypatch.setattr(lockfiles, "MAX_BYTES", 11)
    assert "b.lock: the lock files are larger" in refused(tmp_path, "*.lock")
    monkeypatch.setattr(lockfiles, "MAX_FILES", 1)
    assert refused(tmp_path, "*.lock") == "cannot read more than 1 lock files"
