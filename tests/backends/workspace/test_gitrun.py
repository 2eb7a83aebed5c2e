"""Git on a repository of ours, bounded and without configuration."""

import asyncio
from pathlib import Path

import pytest

from cleanroom.backends.workspace import gitrun
from cleanroom.backends.workspace.gitrun import GitError, Scratch
from cleanroom.errors import Fault, Refused


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
        Scratch(tmp_path)
