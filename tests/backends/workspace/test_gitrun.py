"""Git on a repository of ours, bounded and without configuration."""

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest

from cleanroom.backends.workspace import gitrun
from cleanroom.backends.workspace.gitrun import GitError, Scratch, merge_files
from cleanroom.errors import Fault, Refused

GIT = shutil.which("git") or ""


def scratch(tmp_path: Path) -> Scratch:
    made = Scratch(tmp_path / "s")
    asyncio.run(made.init("sha1", "/nonexistent/objects", "1" * 40 + "\n"))
    return made


def test_its_words_and_input_arrive_and_its_output_comes_back(tmp_path: Path) -> None:
    made = scratch(tmp_path)
    oid = asyncio.run(made.run("hash-object", "-w", "--stdin", stdin=b"x")).decode().strip()
    assert asyncio.run(made.run("cat-file", "blob", oid)) == b"x"
    assert (made.folder / "shallow").read_text() == "1" * 40 + "\n"


def test_nobodys_configuration_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".gitconfig").write_text("[user]\n  name = somebody\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    made = scratch(tmp_path)
    assert b"somebody" not in asyncio.run(made.run("config", "--list"))


def test_a_refusal_says_why(tmp_path: Path) -> None:
    with pytest.raises(GitError, match="fatal: "):
        asyncio.run(scratch(tmp_path).run("cat-file", "blob", "HEAD"))


def test_what_takes_too_long_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = scratch(tmp_path)
    monkeypatch.setattr(gitrun, "TIMEOUT_S", 0.2)
    with pytest.raises(Fault, match=r"git: it ran longer than 0\.2 s"):
        asyncio.run(made.run("-c", "alias.wait=!sleep 60", "wait"))


def test_without_git_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gitrun, "find_program", lambda _: None)
    with pytest.raises(Refused, match="git is not installed"):
        asyncio.run(Scratch(tmp_path / "s").init("sha1", "/nonexistent/objects", None))


def files(folder: Path, host: bytes, before: bytes, sandbox: bytes) -> tuple[bytes, int]:
    for name, content in zip(("host", "before", "sandbox"), (host, before, sandbox), strict=True):
        (folder / name).write_bytes(content)
    return asyncio.run(merge_files(folder, ("host", "before", "sandbox")))


def test_three_files_are_merged_and_marks_counted(tmp_path: Path) -> None:
    lines = b"a\nb\nc\nd\ne\n"
    host, sandbox = lines.replace(b"a", b"A"), lines.replace(b"e", b"E")
    assert files(tmp_path, host, lines, sandbox) == (b"A\nb\nc\nd\nE\n", 0)
    content, marks = files(tmp_path, host, lines, lines.replace(b"a", b"x"))
    assert marks == 1
    assert content.startswith(b"<<<<<<< host\nA\n=======\nx\n>>>>>>> sandbox\nb\n")


def test_what_is_no_text_is_not_merged(tmp_path: Path) -> None:
    with pytest.raises(GitError, match="binary"):
        files(tmp_path, b"a\0", b"b\0", b"c\0")


def test_a_merge_heeds_no_attributes_and_no_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever lies around the three files: no driver of it runs, and no style of it counts."""
    ran = tmp_path / "ran"
    evil = tmp_path / ".git"
    monkeypatch.setenv("HOME", str(tmp_path))
    subprocess.run([GIT, "init", "-q", str(tmp_path)], check=True, capture_output=True)
    config = (
        f"[merge]\n conflictStyle = diff3\n driver = evil\n"
        f'[merge "evil"]\n driver = touch {ran}\n[diff "evil"]\n textconv = touch {ran}\n'
        f"[core]\n fsmonitor = touch {ran}\n"
    )
    (evil / "config").write_text((evil / "config").read_text() + config)
    (tmp_path / ".gitconfig").write_text(config)
    (tmp_path / ".gitattributes").write_text("* merge=evil diff=evil filter=evil\n")
    content, marks = files(tmp_path, b"a\n", b"b\n", b"c\n")
    assert (marks, b"|||||||" in content) == (1, False)
    assert not ran.exists()
