"""`cleanroom lock inspect` asks nobody."""

import json

import pytest

from tests.cli.conftest import CommandLine

A, B = "a" * 64, "b" * 64
TEXT = f"""-r more.txt
foo==1.0 --hash=sha256:{A} --hash=sha256:{B}
bar==2.0
./local.whl
"""


def test_pins_and_what_is_none_are_shown(cli: CommandLine) -> None:
    (cli.folder / "requirements.txt").write_text(TEXT)
    done = cli("lock", "inspect", "requirements.txt")
    lines = done.out.splitlines()
    assert (done.status, len(lines)) == (0, 5)
    assert lines[0] == "requirements.txt: requirements.txt, 1 pinned, 1 not pinned"
    assert lines[1].split() == ["LINE", "NAME", "VERSION", "FILE", "HELD", "BY"]
    assert lines[2].split(maxsplit=4) == [
        *("2", "foo", "1", "-"), "sha256:aaaaaaaaaaaa… or 1 more"
    ]  # fmt: skip
    assert lines[3].startswith("line 3: bar 2 is not pinned: ")
    assert lines[4].startswith("line 4: ./local.whl is not fetched: ")
    assert "note: it names more.txt" in done.err
    assert not cli.daemon.requests


def test_first_seen_is_said(cli: CommandLine) -> None:
    (cli.folder / "reqs").write_text("foo==1.0\n")
    done = cli("lock", "inspect", "--format", "requirements.txt", "reqs")
    assert "0 pinned, 1 by name and version only" in done.out
    assert done.out.splitlines()[2].endswith("name and version")


def test_json_is_the_whole_reading(cli: CommandLine) -> None:
    (cli.folder / "requirements.txt").write_text(TEXT)
    found = json.loads(cli("lock", "inspect", "--json", "requirements.txt").out)
    assert (found["path"], found["format"]) == ("requirements.txt", "requirements.txt")
    (pin,) = found["pins"]
    assert pin["digests"] == [f"sha256:{A}", f"sha256:{B}"]
    assert [entry["local"] for entry in found["unpinned"]] == [False, True]
    assert found["includes"] == ["more.txt"]
    (cli.folder / "package-lock.json").write_text('{"lockfileVersion": 3, "packages": {}}')
    found = json.loads(cli("lock", "inspect", "--json", "package-lock.json").out)
    assert (found["version"], found["format_version"]) == (1, "3")


def test_an_empty_file_has_no_table(cli: CommandLine) -> None:
    (cli.folder / "go.sum").touch()
    assert cli("lock", "inspect", "go.sum").out == "go.sum: go.sum, 0 pinned\n"


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("gone.lock", None, "cannot read gone.lock: No such file"),
        ("a.lock", b"", "its format is unknown"),
        ("uv.lock", b"\xff", "it is not UTF-8"),
        ("uv.lock", b"version = 1\n[[", "uv.lock:2:"),
        ("uv.lock", b"#" * (16 * 1024 * 1024 + 1), "it is larger than 16 MiB"),
    ],
)
def test_what_cannot_be_read_is_said(
    cli: CommandLine, name: str, content: bytes | None, why: str
) -> None:
    if content is not None:
        (cli.folder / name).write_bytes(content)
    done = cli("lock", "inspect", name)
    assert done.status == 1
    assert why in done.err
    assert "registries:" not in done.err  # no policy was asked


def test_an_unknown_format_is_refused(cli: CommandLine) -> None:
    done = cli("lock", "inspect", "--format", "x", "uv.lock")
    assert done.status == 1
    assert "known: package-lock.json" in done.err


def test_commits_of_git_are_shown_as_pins(cli: CommandLine) -> None:
    commit = "ab" * 20
    lines = f"lib @ git+https://code.example/team/lib@{commit}\nmain @ git+https://h.example/x\n"
    (cli.folder / "requirements.txt").write_text(lines)
    out = cli("lock", "inspect", "requirements.txt").out.splitlines()
    assert out[0] == "requirements.txt: requirements.txt, 0 pinned, 1 by commit, 1 not pinned"
    assert out[2].split(maxsplit=4) == [
        *("1", "code.example/team/lib", commit, "-"), "its commit (registries.git)"
    ]  # fmt: skip
    assert out[3:] == ["line 2: main is not pinned: it comes from a git repository"]


def test_without_a_name_the_only_one_here_is_read(cli: CommandLine) -> None:
    none = cli("lock", "inspect")
    assert none.status != 0
    assert "cannot find a lock file in this folder" in none.err
    (cli.folder / "go.sum").touch()
    assert cli("lock", "inspect").out == "go.sum: go.sum, 0 pinned\n"
    (cli.folder / "uv.lock").touch()
    several = cli("lock", "inspect")
    assert several.status == none.status
    assert "cannot choose one of 2 lock files: uv.lock, go.sum" in several.err
    assert "cleanroom lock inspect uv.lock" in several.err
